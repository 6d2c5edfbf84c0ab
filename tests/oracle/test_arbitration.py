"""Arbitration keeps its promise over any priorities, due times and caps."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.effort import examples
from tests.examples.test_triggers import MINUTE, START, Line, event, updated
from tests.oracle.engine import run_engine
from tests.oracle.strategies_rules import Rules

SETTINGS = examples(150)
ARBITRATION = 5 * MINUTE
NAMES = ("a", "b", "c", "d", "e", "f")


@st.composite
def competitions(draw: st.DrawFn) -> tuple[Rules, list[Line]]:
    """Triggers of different priorities that compete for few places, and events on time."""
    triggers = {}
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=2, unique=True)):
        triggers[name] = {
            "kind": "event",
            "on": [draw(st.sampled_from(["subscribed", "delivered"]))],
            "priority": draw(st.integers(0, 100)),
            "after": draw(st.sampled_from([0, "1m", "3m", "5m", "12m"])),
            "template": name,
            "channels": ["email"],
        }
    caps = st.fixed_dictionaries(
        {"limit": st.integers(1, 3), "per": st.sampled_from(["10m", "30m", "1h"])}
    )
    rules: Rules = {
        "version": 1,
        "channels": {"email": {"requires": "email"}},
        "throttle": {"arbitration": "5m", "caps": draw(st.lists(caps, min_size=1, max_size=2))},
        "triggers": triggers,
    }
    lines, at = [updated(START, email="ann@x")], START
    for _ in range(draw(st.integers(2, 12))):
        at += draw(st.sampled_from([1, 20_000, MINUTE, 2 * MINUTE, 10 * MINUTE]))
        lines.append(event(draw(st.sampled_from(["subscribed", "delivered"])), at))
    return rules, lines


@SETTINGS
@given(competition=competitions())
def test_a_lower_priority_never_takes_the_last_place_from_a_higher_one(
    competition: tuple[Rules, list[Line]],
) -> None:
    """Of those eligible in one bucket, none goes while one of a higher priority finds no place."""
    rules, lines = competition
    made, _ = run_engine(rules, lines, until_ms=START + 10**8)
    eligible: dict[str, int] = {}
    buckets: dict[int, list[dict[str, Any]]] = {}
    for decision in made:
        at = eligible.get(decision["request_id"], decision["due_ms"])
        buckets.setdefault(at // ARBITRATION, []).append(decision)
        if decision["outcome"] == "defer":
            eligible[decision["request_id"]] = decision["next_eligible_ms"]
    for number, decisions in buckets.items():
        end = (number + 1) * ARBITRATION
        assert {d["decided_ms"] for d in decisions} == {end + 5000}
        priorities = [rules["triggers"][d["trigger"]]["priority"] for d in decisions]
        assert priorities == sorted(priorities, reverse=True)
        went = [d["outcome"] == "send" for d in decisions]
        assert went == sorted(went, reverse=True), "a lower one went after a higher one did not"
