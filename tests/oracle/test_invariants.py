"""The invariants hold of the oracle itself: a wrong oracle would accuse a right engine."""

from hypothesis import given
from hypothesis import strategies as st

from tests.effort import examples
from tests.oracle import invariants, oracle
from tests.oracle.strategies import Scenario, scenarios

SETTINGS = examples(60)


@SETTINGS
@given(scenario=scenarios())
def test_the_oracle_keeps_every_invariant(scenario: Scenario) -> None:
    """Caps, cooldowns, quiet hours, expiry, holdout and ids hold over any rules and history."""
    made = oracle.run(
        scenario.rules, scenario.lines, until_ms=scenario.until_ms, outage=scenario.outage
    )
    invariants.check_all(scenario.rules, scenario.lines, made)


@SETTINGS
@given(scenario=scenarios(), where=st.integers(0, 99))
def test_a_line_delivered_twice_changes_nothing(scenario: Scenario, where: int) -> None:
    """A repeated event is recognised whatever it is."""
    invariants.repeats_change_nothing(oracle.run, scenario.rules, scenario.lines, where)
