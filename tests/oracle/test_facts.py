"""Facts of the engine against the oracle's: every event tells what all of them are."""

from datetime import date
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.backtest.history import read_arrivals
from app.core.compile import compile_rules
from app.core.decisions import Decision
from app.core.engine import Engine
from app.core.errors import EventError
from app.core.events import Event
from app.rules_file.load import find_problems
from tables.in_memory import InMemoryCustomers
from tests.effort import examples
from tests.oracle import oracle
from tests.oracle.engine import in_the_oracles_words, run_engine
from tests.oracle.strategies_declared import EVENTS, OWN_TYPES, Rules, facts
from tests.oracle.strategies_lines import Line, histories

START_MS = 1_718_000_000_000
DAY_MS = 86_400_000
GRACE_MS = 5_000
TOLD_BY = ("order_placed", "product_viewed", "cart_updated", "survey_answered", *OWN_TYPES)


def telling(declared: Rules, currency: str | None) -> Rules:
    """Rules whose only trigger says at each event, and six hours later, what every fact is."""
    step = {"template": "t", "channels": ["email"]}
    tell = {
        "kind": "event",
        "on": list(TOLD_BY),
        "category": "transactional",
        "expires": "60d",
        "steps": [step | {"after": 0}, step | {"after": "6h"}],
        "tokens": {name: f"customer.{name}" for name in declared},
    }
    channels = {"email": {"requires": "email"}}
    rules: Rules = {"version": 1, "channels": channels, "events": EVENTS, "facts": declared}
    rules["triggers"] = {"tell": tell}
    return rules | ({"currency": currency} if currency else {})


@st.composite
def tellings(draw: st.DrawFn) -> tuple[Rules, list[Line], int]:
    """Rules that tell facts, a history, and until when."""
    rules = telling(draw(facts(every=True)), draw(st.sampled_from([None, None, "EUR"])))
    lines, end_ms = draw(histories(rules, start_ms=START_MS, birthday_near=date(2024, 6, 10)))
    return rules, lines, end_ms + draw(st.sampled_from([0, DAY_MS, 4 * DAY_MS]))


@examples(100)
@given(told=tellings())
def test_every_fact_is_what_the_oracle_says(told: tuple[Rules, list[Line], int]) -> None:
    """Whatever the order of arrival, the types of the values and the currency."""
    rules, lines, until_ms = told
    assert find_problems(rules) == []
    made, _ = run_engine(rules, lines, until_ms=until_ms)
    assert made == oracle.run(rules, lines, until_ms=until_ms)


@st.composite
def busy_days(draw: st.DrawFn) -> tuple[Rules, list[Line]]:
    """Rules that tell rolling facts, and over 64 checkouts of ann in a few days; some are late."""
    ops = ("count", "sum", "mean", "min", "max", "first", "distinct", "last", "most")
    field = {"count": "checkout_started"}
    within = st.sampled_from(["6h", "1d", "2d"])
    declared = {
        op: {op: field.get(op, "checkout_started.value"), "within": draw(within)}
        for op in draw(st.lists(st.sampled_from(ops), min_size=1, max_size=2, unique=True))
    }
    at_ms = START_MS + draw(st.integers(0, DAY_MS))
    lines: list[Line] = [
        {
            "topic": "profiles",
            "event_id": "known",
            "type": "profile_updated",
            "customer_id": "ann",
            "occurred_at": at_ms,
            "data": {"email": "ann@x.test"},
        }
    ]
    for number in range(draw(st.integers(80, 110))):
        at_ms += draw(st.sampled_from([0, 60_000, 600_000, 3_600_000]))
        late_ms = draw(st.sampled_from([0, 0, 0, 7_200_000, DAY_MS]))
        lines.append(
            {
                "topic": "orders",
                "event_id": f"e{number}",
                "type": "cart_updated" if number % 8 == 0 else "checkout_started",
                "customer_id": "ann",
                "occurred_at": at_ms - late_ms,
                "arrived_at": at_ms,
                "data": {"value": draw(st.sampled_from([5, 9.5, 12.25, 40]))},
            }
        )
    return telling(declared, None), lines


@examples(40)
@given(told=busy_days())
def test_a_fact_of_more_than_64_values_goes_by_whole_days(told: tuple[Rules, list[Line]]) -> None:
    """What a rolling fact no longer holds one by one counts until its day has left the window."""
    rules, lines = told
    until_ms = int(lines[-1]["arrived_at"]) + 4 * DAY_MS
    made, _ = run_engine(rules, lines, until_ms=until_ms)
    assert made == oracle.run(rules, lines, until_ms=until_ms)


@examples(60)
@given(told=tellings(), others=facts(every=True), where=st.integers(0, 30), back=st.integers(0, 60))
def test_a_fact_that_is_defined_otherwise_starts_anew(
    told: tuple[Rules, list[Line], int], others: Rules, where: int, back: int
) -> None:
    """With the first event that is read under the new rules; what stayed the same goes on. The old
    definition, when it comes back, knows nothing of what it gathered before.
    """
    rules, lines, until_ms = told
    both = others | dict(list(rules["facts"].items())[::2])
    swaps = {where: telling(both, rules.get("currency")), max(back, where + 1): rules}
    expected = oracle.run(rules, lines, until_ms=until_ms, swaps=swaps)
    assert run_with_swaps(rules, lines, until_ms, swaps) == expected


def run_with_swaps(
    rules: Rules, lines: list[Line], until_ms: int, swaps: dict[int, Rules]
) -> list[dict[str, Any]]:
    """The engine's decisions where other rules take over before the lines of these numbers."""
    made: list[Decision] = []
    task = Engine(compile_rules(rules, version="test"), InMemoryCustomers(), made.append)
    now_ms: int | None = None
    for number, arrival in enumerate(read_arrivals(map(orjson.dumps, lines))):
        if number in swaps:
            task.rules = compile_rules(swaps[number], version="test")
        content = arrival.content
        if arrival.arrived_ms is not None:
            now_ms = arrival.arrived_ms if now_ms is None else max(now_ms, arrival.arrived_ms)
        elif isinstance(content, Event):
            now_ms = max(now_ms or content.occurred_ms, content.occurred_ms)
        if now_ms is not None:
            task.run_to(now_ms, GRACE_MS)
        if isinstance(content, str):
            task.erase(content)
        elif isinstance(content, Event) and now_ms is not None:
            try:
                task.handle(content, now_ms, now_ms - GRACE_MS)
            except EventError:
                continue
    task.run_to(until_ms, GRACE_MS)
    return [in_the_oracles_words(decision) for decision in made]
