"""What a plan says of two rules files, with and without a history."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from app.backtest.history import Arrival, read_arrivals
from app.cli import main
from app.core.rules.model import Rules
from app.plan.pending import PendingChange
from app.plan.plan import Plan, Rehearsal, plan_change
from app.plan.rules_diff import FieldChange, diff_rules
from app.rules_file.load import parse_rules

T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z
MINUTE = 60_000
HOUR = 60 * MINUTE

OLD = """
version: 1
throttle: {caps: [{limit: 2, per: 1d}]}
triggers:
  cart:
    kind: abandonment
    start: [cart_updated]
    key: cart_id
    cancel: [order_placed]
    steps:
      - {after: 30m, template: one, channels: [email]}
      - {after: 24h, template: two, channels: [email]}
  thanks: {kind: event, on: [order_placed], category: transactional, template: thanks,
           channels: [email]}
"""
SAME = """
version: 1
channels: {email: {requires: email}, sms: {requires: phone}, push: {requires: push_token}}
timezone: UTC
throttle: {caps: [{limit: 2, per: 24h}]}   # a day
triggers:
  thanks: {kind: event, on: order_placed, category: transactional, priority: 50,
           steps: [{template: thanks, channels: [email]}]}
  cart:
    {kind: abandonment, start: cart_updated, key: cart_id, cancel: order_placed, expires: 1d,
     family: cart, steps: [{after: 1800s, template: one, channels: [email]},
                           {after: 1440m, template: two, channels: [email]}]}
"""


def line(topic: str, name: str, at_ms: int, customer: str, **data: Any) -> bytes:
    """One line of history."""
    return orjson.dumps(
        {
            "topic": topic,
            "event_id": f"{name}-{at_ms}",
            "type": name,
            "customer_id": customer,
            "occurred_at": at_ms,
            "data": data,
        }
    )


HISTORY = [
    line("profiles", "profile_updated", T0, "ann", email="ann@example.com"),
    line("profiles", "profile_updated", T0, "bob", email="bob@example.com"),
    line("orders", "cart_updated", T0, "ann", cart_id="c1"),
    line("orders", "order_placed", T0 + HOUR, "bob"),
    line("orders", "cart_updated", T0 + 2 * HOUR, "ann", cart_id="c2"),
]


def plan(old: str, new: str, until_ms: int | None = None) -> Plan:
    """The plan over the history above."""
    arrivals: list[Arrival] = list(read_arrivals(HISTORY))
    return plan_change(
        parse_rules(old.encode()), parse_rules(new.encode()), arrivals, until_ms=until_ms
    )


def rehearsed(new: str, until_ms: int | None = None) -> Rehearsal:
    """What the history says of a change of OLD."""
    found = plan(OLD, new, until_ms).rehearsal
    assert found is not None
    return found


def test_spelling_and_written_out_defaults_are_no_change() -> None:
    """The same durations, types and steps in other words mean the same."""
    assert OLD != SAME
    found = plan(OLD, SAME, T0 + 3 * HOUR)
    assert found.is_same
    assert found.rules.is_empty


def test_new_removed_and_changed_triggers_are_listed_by_field() -> None:
    """Each changed field by its path, with both values."""
    new = OLD.replace("thanks:", "thank_you:").replace("after: 24h", "after: 36h")
    diff = diff_rules(
        parse_rules(OLD.encode()), parse_rules(new.replace("limit: 2", "limit: 1").encode())
    )
    assert (diff.new, diff.gone) == (["thank_you"], ["thanks"])
    assert diff.changed == {"cart": [FieldChange("steps[1].after", "24h", "36h")]}
    assert diff.others == [FieldChange("throttle.caps[0].limit", 2, 1)]


def test_a_step_that_joins_or_goes_is_a_change() -> None:
    """Steps are compared by their numbers."""
    step = "      - {after: 24h, template: two, channels: [email]}\n"
    diff = diff_rules(parse_rules(OLD.encode()), parse_rules(OLD.replace(step, "").encode()))
    (change,) = diff.changed["cart"]
    assert (change.path, change.after) == ("steps[1]", None)


def test_timers_of_gone_steps_are_dropped_and_others_keep_their_time() -> None:
    """At the end ann has both steps of c2 and the second of c1 pending."""
    until_ms = T0 + 2 * HOUR
    step = "      - {after: 24h, template: two, channels: [email]}\n"
    assert rehearsed(OLD.replace(step, ""), until_ms).pending == {
        "cart": PendingChange(kept=1, dropped=2)
    }
    assert rehearsed(OLD.replace("after: 24h", "after: 36h"), until_ms).pending == {
        "cart": PendingChange(kept=3, kept_elsewhere=2)
    }
    assert rehearsed(OLD.replace("  cart:\n", "  basket:\n"), until_ms).pending == {
        "cart": PendingChange(dropped=3)
    }


def test_gaining_and_losing_customers_and_changed_decisions_are_listed() -> None:
    """A cap of one costs ann her second reminder; bob's confirmation stays."""
    found = rehearsed(OLD.replace("limit: 2", "limit: 1"), T0 + 3 * HOUR)
    (cart, thanks) = found.triggers
    assert (cart.before["send"], cart.after["send"], cart.after["defer"]) == (2, 1, 1)
    assert thanks.before == thanks.after
    assert (found.customers_gaining, found.customers_losing, found.messages_change) == (0, 1, -1)
    (change,) = found.verdicts
    assert (change.before, change.after, change.steps) == ("send email", "not decided", 1)
    before, after = found.pressure["2 in 24 h"]
    assert before is not None
    assert after is None
    assert not found.is_same


def test_a_difference_that_the_history_does_not_show_still_differs() -> None:
    """The files differ, the decisions do not."""
    found = plan(OLD, OLD.replace("limit: 2", "limit: 9"), T0 + 3 * HOUR)
    assert found.rehearsal is not None
    assert found.rehearsal.is_same
    assert not found.is_same


@pytest.mark.parametrize(("new", "code"), [(SAME, 0), (OLD.replace("30m", "45m"), 3), ("{}", 2)])
@pytest.mark.parametrize("form", ["table", "json"])
def test_exit_codes(
    tmp_path: Path, new: str, code: int, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 alike, 3 different, 2 when a file is wrong."""
    for name, text in (("old.yaml", OLD), ("new.yaml", new)):
        (tmp_path / name).write_text(text)
    (tmp_path / "e.jsonl").write_bytes(b"\n".join(HISTORY))
    command = ["plan", str(tmp_path / "old.yaml"), str(tmp_path / "new.yaml"), "--format", form]
    assert main([*command, "--events", str(tmp_path / "e.jsonl")]) == code
    shown = capsys.readouterr().out
    if code != 2 and form == "json":
        assert orjson.loads(shown)["is_same"] is (code == 0)
    elif code == 3:
        assert "steps[0].after" in shown
    assert main([*command]) == code


def test_a_fact_that_is_new_or_defined_otherwise_starts_empty(tmp_path: Path) -> None:
    """The plan names it and says how to give it its past; one that stays is not named."""
    facts = "facts:\n  stays: {count: order_placed}\n"
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(OLD + facts + "  changed: {count: product_viewed}\n")
    new.write_text(
        OLD + facts + "  changed: {count: product_viewed, within: 9d}\n  added: {last: shipped}\n"
    )
    diff = diff_rules(parse_rules(old.read_bytes()), parse_rules(new.read_bytes()))
    assert diff.facts_from_nothing == ["changed", "added"]


def test_the_text_says_that_a_fact_starts_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the commands that give it its past."""
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(OLD)
    new.write_text(OLD + "facts: {spent: {sum: order_placed.value}}\n")
    main(["plan", str(old), str(new)])
    text = " ".join(capsys.readouterr().out.split())
    assert "customer.spent starts empty" in text
    assert "triggers seed HISTORY --decide-from T" in text


def test_a_cancel_with_a_condition_is_compared() -> None:
    def rules(value: int) -> Rules:
        when = f"{{field: event.value, op: gt, value: {value}}}"
        cancel = f"cancel: [{{on: order_placed, when: {when}}}, cart_emptied]"
        return parse_rules(OLD.replace("cancel: [order_placed]", cancel).encode())

    (change,) = diff_rules(rules(5), rules(6)).changed["cart"]

    assert change.path.startswith("cancel")
    assert diff_rules(rules(5), rules(5)).is_empty
