"""A made-up year of the demo shop, end to end: what was put in comes out again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from app.cli import main
from tests.unit.analysis.shop_year import EXPERIMENT, ShopYear, write_rules

pytestmark = pytest.mark.slow

CUSTOMERS: Final = 2_000


class Lived:
    """The year, its files, and a backtest over them."""

    def __init__(self, folder: Path) -> None:
        self.rules = folder / "rules.yaml"
        self.year = ShopYear(write_rules(self.rules), CUSTOMERS)
        self.year.run()
        self.events, self.out = folder / "events.jsonl", folder / "out"
        self.events.write_bytes(b"\n".join(self.year.lines))
        command = ["backtest", "--rules", str(self.rules), "--events", str(self.events)]
        assert main([*command, "--out", str(self.out)]) == 0

    @property
    def files(self) -> list[str]:
        """The options that name them."""
        return [
            "--decisions",
            str(self.out / "decisions.jsonl"),
            "--outcomes",
            str(self.out / "outcomes.jsonl"),
        ]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """One year for all tests."""
    return Lived(tmp_path_factory.mktemp("year"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """A command's JSON."""

    def ran(*command: str) -> Any:
        capsys.readouterr()
        assert main([*command, "--format", "json"]) == 0
        return json.loads(capsys.readouterr().out)

    return ran


def test_the_lift_of_the_reminders_is_recovered(lived: Lived, run: Callable[..., Any]) -> None:
    """The truth is known of each reminder: what share a purchase followed only because of it."""
    report = run("kpis", *lived.files, "--by", "trigger")
    kpis = {kpi["name"]: kpi for kpi in report["groups"]["cart_abandoned"]}
    truth, lift = lived.year.lift_of_reminders, kpis["incremental_lift"]
    assert 0.05 < truth < 0.1
    assert lift["low"] <= truth <= lift["high"]
    assert lift["low"] > 0
    assert lift["high"] - lift["low"] < 0.07
    assert kpis["recovery_lift"]["low"] > 0


def test_rates_are_those_that_people_were_given(lived: Lived, run: Callable[..., Any]) -> None:
    """Opens, clicks, bounces, opt-outs, reviews: each interval has the rate (4 of 5 at least have
    to; all of them would be luck).
    """
    kpis = {kpi["name"]: kpi for kpi in run("kpis", *lived.files)["groups"]["all"]}
    given = {
        "open_rate": 0.99 * 0.4,
        "click_rate": 0.99 * 0.4 * 0.3,
        "bounce_rate": 0.01,
        "unsubscribe_rate": 0.99 * 0.004,
        "complaint_rate": 0.99 * 0.001,
        "delivery_rate": 0.99,
        "read_rate": 0.4,
        "support_contacts": 0.03,
    }
    held = [kpis[name]["low"] <= rate <= kpis[name]["high"] for name, rate in given.items()]
    assert sum(held) >= len(given) - 1
    assert kpis["margin_per_message"]["value"] == pytest.approx(
        0.3 * kpis["revenue_per_message"]["value"], rel=0.001
    )


def test_the_bolder_copy_wins_and_takes_its_place(
    lived: Lived, run: Callable[..., Any], tmp_path: Path
) -> None:
    """At the end of max_duration; a month into it the verdict is not there yet."""
    command = ["experiments", "--rules", str(lived.rules), *lived.files]
    (early,) = run(*command, "--now", "2025-02-01T00:00:00Z")
    assert early["finding"]["verdict"] == "running"
    (judged,) = run(*command, "--promote", str(tmp_path / "new.yaml"))
    finding = judged["finding"]
    assert (judged["design"]["name"], finding["verdict"], finding["winner"]) == (
        EXPERIMENT,
        "winner",
        "bold",
    )
    assert finding["split_p"] > 0.001
    promoted = (tmp_path / "new.yaml").read_text()
    assert "experiments" not in promoted
    assert '"cart-bold"' in promoted


def test_segments_of_the_year_serve_as_groups(
    lived: Lived, run: Callable[..., Any], tmp_path: Path
) -> None:
    """A model is fitted, the rules may name it, and KPIs are grouped by its clusters."""
    model = tmp_path / "model.json"
    fitted = run("segments", "fit", "--events", str(lived.events), "--out", str(model))
    report = run("kpis", *lived.files, "--by", "segment", "--model", str(model))
    members = {each["name"]: each["customers"] for each in fitted["clusters"]["portraits"]}
    found = {name: size["members"] for name, size in report["sizes"].items()}
    assert {name: count for name, count in found.items() if count is not None} == members
    assert sum(size["messages"] for size in report["sizes"].values()) == report["messages"]
    document = json.loads(lived.rules.read_text()) | {"model": "model.json"}
    document["segments"] |= {
        "likely": {"all": [{"field": "customer.high_value_p", "op": "gte", "value": 0.3}]}
    }
    rules = tmp_path / "rules.yaml"
    rules.write_text(json.dumps(document))
    customers = str(lived.out / "customers.jsonl")
    report = run(
        *("kpis", *lived.files, "--by", "segment"),
        *("--rules", str(rules), "--customers", customers),
    )
    assert 0 < report["sizes"]["likely"]["members"] < CUSTOMERS
