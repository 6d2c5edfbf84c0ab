"""Years of a made-up shop in which the truth is known: the intervals of the reports have it.

Customers fill carts and get deliveries. A reminder makes ``LIFT`` more carts come back, a message
after the delivery saves support contacts, and the newsletter, which has a holdout of its own, does
nothing; purchases that the reminders caused follow the newsletter, too. Customers differ in how
much they do and how readily they buy.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from app.analysis.data.database import Database
from app.analysis.kpis.kpi import Kpi
from app.analysis.kpis.report import Question, make_report
from tests.unit.analysis.files import bought, decision, outcome, write_lines

CUSTOMERS: Final = 1_200
HELD_OUT: Final = 0.3
NEWS_HELD_OUT: Final = 0.4
ALONE: Final = (3.0, 9.0)
LIFT: Final = 0.10
CARTS: Final = 3.0
DELIVERIES: Final = 2.0
CALLS_ALONE, CALLS_SENT = 0.25, 0.15
PRICE: Final = (3.0, 0.5)
MEAN_PRICE: Final = float(np.exp(PRICE[0] + PRICE[1] ** 2 / 2))
Line = dict[str, Any]


def none(mean: float) -> float:
    """The share of customers with none of what they do so often, with activities as below."""
    return (1 / (1 + mean / 2)) ** 2


def gate(*, held_out: bool, trigger: str | None = None) -> Line:
    """A holdout gate of a decision."""
    found: Line = {"gate": "holdout", "verdict": "fail" if held_out else "pass"}
    return found if trigger is None else found | {"trigger": trigger}


class Year:
    """Decisions and outcomes of one year."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.decisions: list[Line] = []
        self.outcomes: list[Line] = []
        for number in range(CUSTOMERS):
            self._live(f"c{number}")

    def _live(self, customer: str) -> None:
        rng = self._rng
        activity, willing = rng.gamma(2, 0.5), rng.beta(*ALONE)
        held_out = bool(rng.random() < HELD_OUT)
        gates = (gate(held_out=held_out),)
        verdict = "holdout" if held_out else "send"
        news_held_out = bool(rng.random() < NEWS_HELD_OUT)
        news = f"{customer}-news"
        self.decisions.append(
            decision(
                news,
                customer,
                trigger="news",
                outcome="holdout" if held_out or news_held_out else "send",
                gates=(*gates, gate(held_out=news_held_out, trigger="news")),
            )
        )
        for cart in range(rng.poisson(CARTS * activity)):
            name = f"{customer}-{cart}"
            self.decisions.append(decision(name, customer, outcome=verdict, gates=gates))
            if rng.random() < willing + LIFT * (not held_out):
                price = float(rng.lognormal(*PRICE))
                self.outcomes.append(bought(name, price, ghost=held_out, event=f"o-{name}"))
                self.outcomes.append(outcome(name, "recovery", value=price, ghost=held_out))
                if cart == 0:
                    followed = outcome(news, "conversion", role="assisted", event=f"o-{name}")
                    self.outcomes.append(followed | {"trigger": "news", "value": price})
        for order in range(rng.poisson(DELIVERIES * activity)):
            name = f"{customer}-d{order}"
            self.decisions.append(
                decision(name, customer, trigger="after", outcome=verdict, gates=gates, cause=name)
            )
            if rng.random() < (CALLS_ALONE if held_out else CALLS_SENT):
                self.outcomes.append(outcome(name, "support", trigger="after", ghost=held_out))


def truths(kpis: dict[str, Kpi]) -> dict[str, float]:
    """What each KPI is about, for as many customers as it is scaled to. Everybody gets the news,
    so that all customers are among those of orders and revenue.
    """
    orders = kpis["incremental_orders"].sample * CARTS * LIFT
    calls = DELIVERIES / (1 - none(DELIVERIES)) * (CALLS_ALONE - CALLS_SENT)
    return {
        "recovery_lift": LIFT,
        "incremental_orders": orders,
        "incremental_revenue": orders * MEAN_PRICE,
        "support_contacts_avoided": calls,
    }


def covered(folder: Path, rng: np.random.Generator) -> dict[str, bool]:
    """KPI -> whether its interval has the truth, in one year."""
    year = Year(rng)
    question = Question(
        decisions=[write_lines(folder / "d.jsonl", year.decisions)],
        outcomes=[write_lines(folder / "o.jsonl", year.outcomes)],
    )
    with Database() as database:
        report = make_report(question, database)
    kpis = {kpi.name: kpi for kpi in report.groups["all"]}
    calls = {kpi.name: kpi for kpi in report.triggers["after"]}["support_contacts_avoided"]
    news = {kpi.name: kpi for kpi in report.triggers["news"]}["incremental_lift"]
    expected = truths(kpis)
    expected["support_contacts_avoided"] *= calls.sample
    kpis["support_contacts_avoided"] = calls
    found = {name: _has(kpis[name], truth) for name, truth in expected.items()}
    return found | {"lift of the newsletter": _has(news, 0.0)}


def _has(kpi: Kpi, truth: float) -> bool:
    assert kpi.low is not None
    assert kpi.high is not None
    return kpi.low <= truth <= kpi.high


def coverage(folder: Path, runs: int, seed: int) -> dict[str, float]:
    """KPI -> in how many of the years its interval has the truth."""
    rng = np.random.default_rng(seed)
    years = [covered(folder, rng) for _ in range(runs)]
    return {name: sum(year[name] for year in years) / runs for name in years[0]}


@pytest.mark.slow
def test_95_percent_intervals_have_the_truth_in_92_to_98_percent_of_200_years(
    tmp_path: Path,
) -> None:
    """Recovery lift, incremental orders and revenue, contacts avoided, and a lift of nothing."""
    found = coverage(tmp_path, 200, seed=20260101)
    print("\ncoverage", {name: f"{share:.1%}" for name, share in found.items()})
    for name, share in found.items():
        assert 0.92 <= share <= 0.98, name


def test_a_few_years_have_the_truth(tmp_path: Path) -> None:
    """Eight years: each interval misses the truth in two of them at most."""
    for name, share in coverage(tmp_path, 8, seed=5).items():
        assert share >= 0.75, name
