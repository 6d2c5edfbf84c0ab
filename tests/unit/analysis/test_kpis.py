"""``triggers kpis`` on files that are small enough to count by hand."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.analysis.statistics.intervals import newcombe, wilson
from app.cli import main
from tests.unit.analysis.files import bought, decision, outcome, write_lines

Line = dict[str, Any]
Kpis = dict[str, dict[str, Any]]
Report = Callable[..., dict[str, Kpis]]


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """The JSON report on such lines."""

    def asked(decisions: list[Line], outcomes: list[Line], *options: str) -> dict[str, Any]:
        files = (
            str(write_lines(tmp_path / "decisions.jsonl.gz", decisions)),
            str(write_lines(tmp_path / "outcomes.jsonl", outcomes)),
        )
        command = ["kpis", "--decisions", files[0], "--outcomes", files[1], "--format", "json"]
        assert main([*command, *options]) == 0
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        return report

    return asked


@pytest.fixture
def report(ask: Callable[..., dict[str, Any]]) -> Report:
    """Group -> KPI -> what is said of it."""

    def asked(decisions: list[Line], outcomes: list[Line], *options: str) -> dict[str, Kpis]:
        groups = ask(decisions, outcomes, *options)["groups"]
        return {name: {kpi["name"]: kpi for kpi in kpis} for name, kpis in groups.items()}

    return asked


def twenty(held_out: int = 0) -> list[Line]:
    """One message to each of twenty customers, the first of them held out."""
    return [
        decision(f"m{n}", f"c{n}", outcome="holdout" if n < held_out else "send") for n in range(20)
    ]


def test_rates_are_of_messages_with_wilsons_interval(report: Report) -> None:
    """Twenty messages; each engagement counts once, however often its line comes."""
    outcomes = [outcome(f"m{n}", "opened") for n in range(8)]
    outcomes += [outcome(f"m{n}", "delivered") for n in range(16)]
    outcomes += [outcome("m0", "clicked"), outcome("m0", "clicked")]
    outcomes += [outcome("m1", "unsubscribed"), outcome("m2", "complained")]
    outcomes += [outcome("m3", "bounced")]
    kpis = report(twenty(), outcomes)["all"]
    for name, count in (
        ("open_rate", 8),
        ("click_rate", 1),
        ("delivery_rate", 16),
        ("unsubscribe_rate", 1),
        ("complaint_rate", 1),
        ("bounce_rate", 1),
    ):
        kpi, expected = kpis[name], wilson(count, 20)
        assert (kpi["count"], kpi["sample"]) == (count, 20)
        assert kpi["value"] == pytest.approx(count / 20)
        assert (kpi["low"], kpi["high"]) == pytest.approx((expected.low, expected.high))
    read = kpis["read_rate"]
    assert (read["count"], read["sample"]) == (8, 16)


def test_lift_is_sent_minus_held_out(report: Report) -> None:
    """Six of fifteen who were sent it bought, and one of five who were not; assisted counts too."""
    outcomes = [bought(f"m{n}") for n in range(5, 10)]
    outcomes += [outcome("m10", "conversion", role="assisted", value=10)]
    outcomes += [bought("m0", ghost=True)]
    kpis = report(twenty(held_out=5), outcomes)["all"]
    lift, expected = kpis["incremental_lift"], newcombe(6, 15, 1, 5)
    assert lift["value"] == pytest.approx(6 / 15 - 1 / 5)
    assert (lift["low"], lift["high"]) == pytest.approx((expected.low, expected.high))
    assert (lift["sample"], lift["others"]) == (15, 5)
    assert kpis["conversion_rate"]["count"] == 5
    assert kpis["assisted_rate"]["count"] == 1
    assert kpis["conversion_rate"]["sample"] == 15


def test_recalled_and_transactional_messages_are_left_out(report: Report) -> None:
    """And what was only suppressed or deferred; a decision that comes twice counts once."""
    decisions = [
        *twenty(),
        decision("m0", "c0", outcome="recall", day=0.001),
        decision("m1", "c1"),
        decision("later", "c2", outcome="defer", channel=None),
        decision("later", "c2", day=1),
        decision("no", "c3", outcome="suppress", channel=None),
        decision("owed", "c4", category="transactional"),
    ]
    kpis = report(decisions, [outcome("m0", "opened"), outcome("later", "opened")])["all"]
    assert kpis["open_rate"]["sample"] == 20
    assert kpis["open_rate"]["count"] == 1


def test_recovery_is_of_instances_not_of_messages(report: Report) -> None:
    """Two carts with two reminders each; one is bought, which one line says."""
    decisions = [
        decision(f"{cart}-{step}", "ann", key=cart, step=step, day=step / 2, anchor_day=0)
        for cart in ("a", "b")
        for step in (0, 1)
    ]
    decisions.append(decision("other", "bob", trigger="news"))
    outcomes = [outcome("a-1", "recovery", value=20), bought("a-1", value=20)]
    kpi = report(decisions, outcomes)["all"]["recovery_rate"]
    assert (kpi["count"], kpi["sample"], kpi["of_what"]) == (1, 2, "abandonments")
    assert "--rules" in kpi["reason"]


def test_rules_say_which_triggers_are_abandonments(report: Report, tmp_path: Path) -> None:
    """Then a trigger without a recovery counts too."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "version: 1\ntriggers:\n"
        "  cart: {kind: abandonment, start: cart_updated, key: cart_id, template: t,"
        " channels: [email]}\n"
        "  thanks: {kind: event, on: delivered, template: t, channels: [email]}\n"
    )
    decisions = [*twenty(), decision("d", "dan", trigger="thanks", cause="delivered-1")]
    outcomes = [outcome("d", "review", trigger="thanks"), outcome("d", "support", trigger="thanks")]
    kpis = report(decisions, outcomes, "--rules", str(rules))["all"]
    assert (kpis["recovery_rate"]["value"], kpis["recovery_rate"]["sample"]) == (0, 20)
    assert (kpis["review_rate"]["value"], kpis["review_rate"]["sample"]) == (1, 1)
    assert kpis["support_contacts"]["value"] == 1
    assert kpis["support_difference"]["reason"] == "no delivered orders were held out"


def test_support_contacts_are_counted_once_an_order(report: Report) -> None:
    """Two steps after one delivery: both have the line of the one call; a second call counts."""
    decisions = [
        decision(f"{order}-{step}", order, trigger="after", step=step, cause=order, outcome=verdict)
        for order, verdict in (("o1", "send"), ("o2", "send"), ("o3", "holdout"), ("o4", "holdout"))
        for step in (0, 1)
    ]
    calls = [("o1-0", "x"), ("o1-1", "x"), ("o1-1", "y"), ("o3-0", "z")]
    outcomes = [
        outcome(name, "support", event=event, trigger="after", ghost=name < "o3")
        for name, event in calls
    ]
    kpis = report(decisions, outcomes)["all"]
    assert kpis["support_contacts"]["value"] == 1
    assert kpis["support_contacts_held_out"]["value"] == 0.5
    assert kpis["support_difference"]["value"] == 0.5
    assert kpis["support_contacts"]["sample"] == 2


def test_money_is_that_of_credited_purchases(report: Report) -> None:
    """30 and 50 over twenty messages; what an assisted line says is not added."""
    outcomes = [bought("m0", 30, margin=3), bought("m1", 50, margin=7), bought("m1", 50, margin=7)]
    outcomes += [outcome("m2", "conversion", role="assisted", value=50, event="conversion-m1")]
    kpis = report(twenty(), outcomes)["all"]
    assert kpis["average_selling_price"]["value"] == 40
    assert kpis["average_selling_price"]["currency"] == "EUR"
    assert kpis["revenue_per_message"]["value"] == 4
    assert kpis["margin_per_message"]["value"] == 0.5


def test_what_cannot_be_known_is_null_with_its_reason(report: Report) -> None:
    """No margin anywhere, no holdout, no history, no abandonment, nothing delivered."""
    kpis = report(twenty(), [bought("m0")])["all"]
    reasons = {name: kpi["reason"] for name, kpi in kpis.items() if kpi["value"] is None}
    assert "no converted order says its margin" in reasons["margin_per_message"]
    assert "held out" in reasons["incremental_lift"]
    assert "--events" in reasons["repeat_purchase_latency"]
    assert "--events" in reasons["average_selling_price_all"]
    assert "--rules" in reasons["recovery_rate"]
    assert "confirmed" in reasons["read_rate"]
    assert all(kpi["low"] is None for kpi in kpis.values() if kpi["value"] is None)


def test_currencies_are_not_added_up(report: Report) -> None:
    """Two of them make no figure, one chosen makes that one's, and says what it leaves out."""
    outcomes = [bought("m0", 30), bought("m1", 500, currency="SEK")]
    kpis = report(twenty(), outcomes)["all"]
    assert kpis["revenue_per_message"]["value"] is None
    assert "EUR and SEK" in kpis["revenue_per_message"]["reason"]
    kpis = report(twenty(), outcomes, "--currency", "EUR")["all"]
    assert kpis["revenue_per_message"]["value"] == 1.5
    assert kpis["revenue_per_message"]["reason"].startswith("1 of 2")
    assert kpis["average_selling_price"]["value"] == 30
    assert kpis["conversion_rate"]["count"] == 2


def test_several_messages_to_one_customer_widen_the_interval(report: Report) -> None:
    """Ten each to two customers, of whom one opens all: as good as two messages."""
    decisions = [decision(f"{c}{n}", c, day=n) for c in "ab" for n in range(10)]
    kpi = report(decisions, [outcome(f"a{n}", "opened") for n in range(10)])["all"]["open_rate"]
    assert (kpi["value"], kpi["sample"]) == (0.5, 20)
    expected = wilson(1, 2)
    assert (kpi["low"], kpi["high"]) == pytest.approx((expected.low, expected.high))
    assert "design effect 10.00" in kpi["method"]


def test_groups(report: Report) -> None:
    """By trigger, channel, week (Mondays) and variant; a ghost variant is a group of its own."""
    decisions = [
        decision("a", "a", trigger="x", channel="email", day=0),
        decision("b", "b", trigger="x", channel="push", day=8, experiment=("exp", "v1")),
        decision("c", "c", trigger="y", channel="push", day=8, experiment=("exp", "v2")),
        decision("g", "g", trigger="y", outcome="holdout", day=8, experiment=("exp", "none")),
    ]
    outcomes = [outcome("b", "opened")]
    samples = {
        by: {
            group: kpis["open_rate"]["sample"]
            for group, kpis in report(decisions, outcomes, "--by", by).items()
        }
        for by in ("trigger", "channel", "week", "variant")
    }
    assert samples["trigger"] == {"x": 2, "y": 1}
    assert samples["channel"] == {"email": 1, "push": 2}
    assert samples["week"] == {"2025-12-29": 1, "2026-01-05": 2}
    assert samples["variant"] == {
        "(no experiment)": 1,
        "exp: none": 0,
        "exp: v1": 1,
        "exp: v2": 1,
    }
    lift = report(decisions, outcomes)["all"]["incremental_lift"]
    assert lift["others"] == 0


def test_outcomes_without_decisions_are_reported_and_left_out(
    ask: Callable[..., dict[str, Any]],
) -> None:
    """Outcomes of a request that the decisions do not have."""
    found = ask(twenty(), [outcome("elsewhere", "opened"), outcome("elsewhere", "clicked")])
    assert found["unmatched"] == 1
    assert found["groups"]["all"][0]["value"] is None


def test_nothing_at_all(ask: Callable[..., dict[str, Any]]) -> None:
    """Empty files are a report without groups."""
    found = ask([], [])
    assert (found["groups"], found["messages"], found["from"]) == ({}, 0, None)


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (b"{", "decisions.jsonl"),
        (b"[1]", "decisions.jsonl"),
        (b"{", "in line 2"),
        (b'{"a": x}', "in line 2"),
        (b'{"customer_id": "c"}', "are not decisions: each needs request_id, customer_id, "),
        (b'{"request_id": "r", "decided_at": "yesterday"}', "decisions.jsonl"),
    ],
)
def test_a_broken_file_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], broken: bytes, expected: str
) -> None:
    """Exit code 2, and the message names the file."""
    decisions = write_lines(tmp_path / "decisions.jsonl", [decision("a", "a"), broken])
    outcomes = write_lines(tmp_path / "outcomes.jsonl", [])
    command = ["kpis", "--decisions", str(decisions), "--outcomes", str(outcomes)]
    assert main(command) == 2
    assert expected in capsys.readouterr().err
    assert main(["kpis", "--decisions", str(tmp_path / "no"), "--outcomes", str(outcomes)]) == 2


def test_the_table_says_what_the_json_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people: percentages, samples, remarks."""
    decisions = write_lines(tmp_path / "it's [a] *.jsonl", twenty(held_out=5))
    outcomes = write_lines(tmp_path / "o.jsonl", [bought("m9", 12.5), outcome("m9", "opened")])
    assert main(["kpis", "--decisions", str(decisions), "--outcomes", str(outcomes)]) == 0
    text = capsys.readouterr().out
    assert "15 messages sent and 5 held out, 20 customers, 2 outcomes" in text
    assert "6.7 %" in text
    assert "1 of 15 messages" in text
    assert "12.50 EUR" in text


@pytest.mark.parametrize("value", [1e100, 1e200, 1e308])
def test_impossible_amounts_leave_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: float
) -> None:
    """An amount beyond the range of numbers gets a remark, and all other figures are counted."""
    decisions = write_lines(tmp_path / "d.jsonl", twenty(held_out=5))
    lines = [bought(f"m{n}", value * (1 + n % 2)) for n in range(6, 9)]
    lines += [bought("m1", value, ghost=True), outcome("m9", "opened")]
    outcomes = write_lines(tmp_path / "o.jsonl", lines)
    command = ["kpis", "--decisions", str(decisions), "--outcomes", str(outcomes)]
    for form in ("json", "table", "html"):
        assert main([*command, "--format", form]) == 0
        text = capsys.readouterr().out
        assert re.search(r"\b(inf|nan)\b", text, re.IGNORECASE) is None
        assert ("beyond the range of numbers" in " ".join(text.split())) is (value > 1e150)
        assert "Open rate" in text
