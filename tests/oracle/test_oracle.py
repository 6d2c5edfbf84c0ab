"""The engine against the oracle: over any rules and history both make the same decisions."""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.rules_file.load import find_problems
from tests.effort import examples
from tests.oracle import invariants, oracle
from tests.oracle.engine import run_engine, run_whole_engine
from tests.oracle.reading import arrival_or_none
from tests.oracle.strategies import Scenario, scenarios, with_merges
from tests.oracle.strategies_rules import Rules, rule_sets

SETTINGS = examples(150)


def decide(rules: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The engine's decisions over lines that are read as they arrive."""
    return run_engine(rules, lines)[0]


def seeded(line: Mapping[str, Any], from_ms: int) -> dict[str, Any]:
    """The line as `triggers seed` puts it onto its topic."""
    header = {"headers": {"trigger-decide-from": str(from_ms)}}
    if "value" in line:
        return {**line, **header}
    around = {name: line[name] for name in ("topic", "arrived_at") if name in line}
    value = {name: line[name] for name in line if name not in around}
    return {**around, "value": value, **header}


def compare(scenario: Scenario) -> None:
    """Decisions, outcomes and dead letters of both over the same history."""
    clock: dict[str, Any] = {"until_ms": scenario.until_ms, "outage": scenario.outage}
    made, outcomes, dead_letters = run_whole_engine(scenario.rules, scenario.lines, **clock)
    world = oracle.replay(scenario.rules, scenario.lines, grace_ms=5000, **clock)
    assert made == world["decisions"]
    assert outcomes == world["outcomes"]
    assert dead_letters == oracle.dead_letters(scenario.rules, scenario.lines)


@SETTINGS
@given(rules=rule_sets())
def test_random_rules_are_valid(rules: Rules) -> None:
    """What the other tests run on is what the engine accepts."""
    assert find_problems(rules) == []


@SETTINGS
@given(scenario=scenarios())
def test_the_engine_decides_as_the_oracle_does(scenario: Scenario) -> None:
    """Every decision, its reason, channel and times, in the same order; what each send led to;
    the same dead letters.
    """
    compare(scenario)


@SETTINGS
@given(scenario=with_merges())
def test_the_engine_merges_as_the_oracle_does(scenario: Scenario) -> None:
    """The same where customers turn out to be one, in chains and circles, before and after what
    they do.
    """
    compare(scenario)


@SETTINGS
@given(scenario=scenarios(), where=st.integers(0, 99))
def test_an_earlier_history_is_known_and_not_decided(scenario: Scenario, where: int) -> None:
    """Customers, counters and open instances are those of both; decisions are of the later one."""
    cut = len(scenario.lines) * where // 100
    state, lines = scenario.lines[:cut], scenario.lines[cut:]
    made, outcomes, _ = run_whole_engine(
        scenario.rules, lines, until_ms=scenario.until_ms, state=state
    )
    world = oracle.replay(
        scenario.rules, lines, grace_ms=5000, until_ms=scenario.until_ms, outage=None, state=state
    )
    assert made == world["decisions"]
    assert outcomes == world["outcomes"]


@SETTINGS
@given(scenario=scenarios(), where=st.integers(0, 99))
def test_a_seeded_history_is_known_and_not_decided(scenario: Scenario, where: int) -> None:
    """The same where the history lies on the topics: decisions begin customer by customer."""
    cut = len(scenario.lines) * where // 100
    arrivals = [arrival_or_none(line, scenario.rules) for line in scenario.lines[cut:]]
    from_ms = next((arrival for arrival in arrivals if arrival is not None), 1 << 47)
    past = [seeded(line, from_ms) for line in scenario.lines[:cut]]
    compare(scenario.with_lines((*past, *scenario.lines[cut:])))


@SETTINGS
@given(scenario=scenarios())
def test_the_engine_keeps_every_invariant(scenario: Scenario) -> None:
    """Caps, cooldowns, quiet hours, expiry, holdout and ids hold over any rules and history."""
    made, _ = run_engine(
        scenario.rules, scenario.lines, until_ms=scenario.until_ms, outage=scenario.outage
    )
    invariants.check_all(scenario.rules, scenario.lines, made)


@SETTINGS
@given(scenario=scenarios(), where=st.integers(0, 99))
def test_a_line_delivered_twice_changes_nothing(scenario: Scenario, where: int) -> None:
    """A repeated event is recognised whatever it is."""
    invariants.repeats_change_nothing(decide, scenario.rules, scenario.lines, where)
