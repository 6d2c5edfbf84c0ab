"""``triggers kpis``: absolute figures, holdouts, segments and periods, counted by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.analysis.statistics.clusters import ClusterSums, mean_difference_interval
from app.cli import main
from tests.unit.analysis.files import T0, bought, decision, outcome, write_lines

Line = dict[str, Any]
Report = Callable[..., dict[str, Any]]
DAY_MS = 86_400_000


def holdout(*, held_out: bool, trigger: str | None = None) -> Line:
    """A holdout gate as a decision has it; with a trigger that one's own."""
    gate: Line = {"gate": "holdout", "verdict": "fail" if held_out else "pass", "bucket": 7}
    return gate if trigger is None else gate | {"trigger": trigger}


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Report:
    """The JSON report on such lines, its KPIs by name."""

    def asked(decisions: list[Line], outcomes: list[Line], *options: str) -> dict[str, Any]:
        files = (
            str(write_lines(tmp_path / "decisions.jsonl", decisions)),
            str(write_lines(tmp_path / "outcomes.jsonl", outcomes)),
        )
        command = ["kpis", "--decisions", files[0], "--outcomes", files[1], "--format", "json"]
        assert main([*command, *options]) == 0
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        report["groups"] = {
            name: {kpi["name"]: kpi for kpi in kpis} for name, kpis in report["groups"].items()
        }
        return report

    return asked


def arms() -> list[Line]:
    """Twenty customers with two messages each, the first five of them held out."""
    return [
        decision(f"m{n}-{k}", f"c{n}", outcome="holdout" if n < 5 else "send", day=k)
        for n in range(20)
        for k in (0, 1)
    ]


def test_incremental_orders_are_per_customer_and_scaled(ask: Report) -> None:
    """Nine orders of fifteen who were sent messages, one of five who were not: 6 more."""
    outcomes = [
        line
        for n in range(5, 14)
        for line in (
            bought(f"m{n}-1", 20, margin=5, event=f"o{n}"),
            outcome(f"m{n}-0", "conversion", role="assisted", value=20, margin=5, event=f"o{n}"),
        )
    ]
    outcomes.append(bought("m0-0", 20, margin=5, ghost=True, event="o0"))
    kpis = ask(arms(), outcomes, "--cost", "email=0.5")["groups"]["all"]
    orders = kpis["incremental_orders"]
    assert orders["value"] == pytest.approx(15 * (9 / 15 - 1 / 5))
    assert (orders["sample"], orders["others"], orders["of_what"]) == (15, 5, "customers")
    expected = mean_difference_interval(
        ClusterSums.of([(1.0, 1.0)] * 9 + [(0.0, 1.0)] * 6),
        ClusterSums.of([(1.0, 1.0)] + [(0.0, 1.0)] * 4),
    )
    assert expected is not None
    assert (orders["low"], orders["high"]) == pytest.approx((15 * expected.low, 15 * expected.high))
    assert kpis["incremental_revenue"]["value"] == pytest.approx(120)
    assert kpis["incremental_margin"]["value"] == pytest.approx(30)
    assert kpis["message_cost"]["value"] == 15
    assert kpis["return_on_cost"]["value"] == pytest.approx(2)
    assert kpis["return_on_cost"]["low"] == pytest.approx(kpis["incremental_margin"]["low"] / 15)


def test_contacts_avoided_are_a_positive_figure(ask: Report) -> None:
    """Three of five held out called, none of fifteen: nine calls fewer."""
    decisions = [
        decision(
            f"m{n}",
            f"c{n}",
            trigger="after",
            outcome="holdout" if n < 5 else "send",
            cause=f"d{n}",
        )
        for n in range(20)
    ]
    outcomes = [outcome(f"m{n}", "support", trigger="after", ghost=True) for n in range(3)]
    kpis = ask(decisions, outcomes)["groups"]["all"]
    assert kpis["support_contacts_avoided"]["value"] == pytest.approx(9)
    assert kpis["support_contacts_avoided"]["low"] < 9 < kpis["support_contacts_avoided"]["high"]


def test_without_engagement_rates_are_null_with_the_reason(ask: Report) -> None:
    """No provider reports: that is not an open rate of nothing; one report is enough for zeros."""
    kpis = ask(arms(), [bought("m9-0")])["groups"]["all"]
    for name in ("open_rate", "complaint_rate", "bounce_rate"):
        assert kpis[name]["value"] is None
        assert "no engagement events" in kpis[name]["reason"]
    kpis = ask(arms(), [outcome("m9-0", "opened")])["groups"]["all"]
    assert kpis["complaint_rate"]["value"] == 0
    assert "no delivery confirmations" in kpis["delivery_rate"]["reason"]


def test_the_survey_score_is_the_mean_of_the_answers(ask: Report) -> None:
    """Two answers, with their sample."""
    outcomes = [outcome("m7-0", "surveyed", score=9), outcome("m8-0", "surveyed", score=6)]
    kpi = ask(arms(), outcomes)["groups"]["all"]["survey_score"]
    assert (kpi["value"], kpi["sample"]) == (7.5, 2)


def test_a_trigger_with_its_own_holdout_is_held_against_that(ask: Report) -> None:
    """Its ghosts got all other messages; for the other triggers the report says what their lift
    contains.
    """
    decisions = []
    for n in range(40):
        in_global, in_own = n < 10, 10 <= n < 20
        mine = (holdout(held_out=in_global), holdout(held_out=in_own, trigger="own"))
        decisions.append(
            decision(
                f"own{n}",
                f"c{n}",
                trigger="own",
                outcome="holdout" if in_global or in_own else "send",
                gates=mine,
            )
        )
        decisions.append(
            decision(
                f"rest{n}",
                f"c{n}",
                trigger="rest",
                outcome="holdout" if in_global else "send",
                gates=(holdout(held_out=in_global),),
            )
        )
    groups = ask(decisions, [bought(f"own{n}") for n in (10, 11, 20)], "--by", "trigger")["groups"]
    lift = groups["own"]["incremental_lift"]
    assert lift["value"] == pytest.approx(1 / 20 - 2 / 10)
    assert (lift["sample"], lift["others"], lift["reason"]) == (20, 10, None)
    assert groups["rest"]["incremental_lift"]["others"] == 10
    assert "not of this trigger alone" in groups["rest"]["incremental_lift"]["reason"]
    assert ask(decisions, [])["groups"]["all"]["incremental_lift"]["others"] == 20


def test_a_trigger_without_effect_has_a_lift_around_zero(ask: Report) -> None:
    """What the customers' other messages do is on both sides of its own holdout, so that half of
    those who got it buy and half of its ghosts; against the file's holdout, where one in ten buys,
    it would seem to bring four purchases more in ten.
    """
    decisions, outcomes = [], []
    for n in range(300):
        in_global, in_own = n < 100, 100 <= n < 200
        gates = (holdout(held_out=in_global), holdout(held_out=in_own, trigger="idle"))
        verdict = "holdout" if in_global or in_own else "send"
        decisions.append(decision(f"i{n}", f"c{n}", trigger="idle", outcome=verdict, gates=gates))
        if n % (10 if in_global else 2) == 0:
            outcomes.append(bought(f"i{n}", trigger="idle", ghost=verdict == "holdout"))
    kpis = ask(decisions, outcomes, "--by", "trigger")["groups"]["idle"]
    for name in ("incremental_lift", "incremental_orders", "incremental_revenue"):
        kpi = kpis[name]
        assert (kpi["value"], kpi["sample"], kpi["others"]) == (0, 100, 100)
        assert kpi["low"] < 0 < kpi["high"]
        assert kpi["reason"] is None


def test_segments_are_those_of_the_decision(ask: Report) -> None:
    """From the files alone; a customer who changed segments counts where each decision had them."""
    decisions = [
        decision("a", "ann", segments=["new"]),
        decision("b", "ann", segments=["regular", "vip"], day=3),
        decision("c", "bob", segments=[]),
    ]
    groups = ask(decisions, [outcome("b", "opened")], "--by", "segment")["groups"]
    assert {name: kpis["open_rate"]["sample"] for name, kpis in groups.items()} == {
        "(no segment)": 1,
        "new": 1,
        "regular": 1,
        "vip": 1,
    }


def test_steps_have_groups_of_their_own(ask: Report) -> None:
    """One group for each pair of trigger and step."""
    decisions = [decision(f"m{n}", f"c{n}", step=n % 2) for n in range(4)]
    assert set(ask(decisions, [], "--by", "step")["groups"]) == {"cart, step 0", "cart, step 1"}


def test_another_period_is_compared_with_its_difference(ask: Report) -> None:
    """Of ten messages each five and eight were opened; the interval is Newcombe's."""
    decisions = [decision(f"{m}{n}", f"{m}{n}", day=m * 40) for m in (0, 1) for n in range(10)]
    outcomes = [outcome(f"0{n}", "opened", day=1) for n in range(5)]
    outcomes += [outcome(f"1{n}", "opened", day=41) for n in range(8)]
    report = ask(decisions, outcomes, "--against", "2026-01-01/2026-02-01")
    assert (report["messages"], report["against"]["messages"]) == (10, 10)
    assert report["against"]["to"] < "2026-02-01"
    change = next(c for c in report["changes"]["all"] if c["name"] == "open_rate")
    assert change["difference"] == pytest.approx(0.3)
    assert change["interval"]["low"] < 0 < change["interval"]["high"]


def test_a_bad_period_cost_or_currency_is_bad_usage(tmp_path: Path) -> None:
    """Exit code 2, before any file is read."""
    command = ["kpis", "--decisions", str(tmp_path), "--outcomes", str(tmp_path)]
    for option in (
        ["--against", "2026-02-01/2026-01-01"],
        ["--cost", "sms"],
        ["--period", "x/y"],
        ["--currency", "euro"],
    ):
        assert main([*command, *option]) == 2


def test_customers_and_categories_come_from_the_history(tmp_path: Path, ask: Report) -> None:
    """Three customers: one buys twice and in two categories, one has been gone for 200 days."""

    def order(number: int, customer: str, day: int, **data: Any) -> Line:
        return {
            "topic": "orders",
            "event_id": f"o{number}",
            "type": "order_placed",
            "customer_id": customer,
            "occurred_at": T0 + day * DAY_MS,
            "data": {"order_id": f"o{number}", "currency": "EUR"} | data,
        }

    shoes = [
        {"sku": "s", "category": "shoes", "price": 20, "quantity": 2},
        {"sku": "h", "category": "hats", "price": 10},
    ]
    lines = [
        order(1, "ann", -200, value=30, category="shoes"),
        order(2, "bob", 0, value=50, items=shoes),
        order(3, "bob", 1, value=10, category="hats"),
        order(4, "cid", 2, value=5),
    ]
    history = tmp_path / "events.jsonl"
    history.write_bytes(b"\n".join(map(orjson.dumps, lines)))
    decisions = [decision("m", "bob"), decision("n", "cid", day=3)]
    report = ask(decisions, [], "--events", str(history))
    kpis = report["groups"]["all"]
    assert (kpis["repeat_purchase_rate"]["count"], kpis["repeat_purchase_rate"]["sample"]) == (1, 3)
    assert kpis["lifetime_value"]["value"] == pytest.approx(95 / 3)
    assert kpis["churn_rate"]["count"] == 1
    assert (kpis["cross_category_rate"]["count"], kpis["cross_category_rate"]["sample"]) == (1, 2)
    assert [(each["category"], each["revenue"]) for each in report["categories"]] == [
        ("shoes", 40),
        ("hats", 20),
    ]
    assert report["categories"][0]["per_customer"]["sample"] == 1
    by_trigger = ask(decisions, [], "--events", str(history), "--by", "trigger")["groups"]["cart"]
    assert "cannot be split by trigger" in by_trigger["churn_rate"]["reason"]
