"""Input that is not as it should be, and more of it than there was time for."""

import time

import pytest

from tests.fault.budget import EVENTS
from tests.fault.case import CaseOf
from tests.fault.history import Expected, History, disordered
from tests.fault.outage import Backlog, backlog

pytestmark = pytest.mark.soak
BOTH = pytest.mark.parametrize(
    ("broker", "guarantee"),
    [("kafka", "exactly_once"), ("embedded", "at_least_once")],
    indirect=["broker"],
)


@BOTH
def test_duplicate_and_reordered_input(case_of: CaseOf, guarantee: str) -> None:
    """What comes twice changes nothing: the backtest has it once."""
    lines, expected = disordered(EVENTS)
    case = case_of(expected, is_published=False, guarantee=guarantee)
    case.publish(lines)
    case.start()
    case.wait_for_share(0.5)
    case.kill()
    case.start()
    case.finish()


@BOTH
def test_an_hours_outage_with_purchases_in_the_backlog(case_of: CaseOf, guarantee: str) -> None:
    """By the wall clock: customers whose purchase waited get no reminder, all others get theirs."""
    waiting: Backlog = backlog(EVENTS, int(time.time() * 1000))
    nothing_else = Expected(decisions=[], dispatch=waiting.requests, outcomes=[])
    case = case_of(History(waiting.lines, nothing_else), guarantee=guarantee)
    case.judge = waiting.judge
    live = {"TRIGGER_CLOCK": "wall"}
    case.start(**live)
    case.wait("some", lambda: case.observer.counts["dispatch"] > len(waiting.requests) // 3)
    case.kill()
    case.start(**live)
    case.wait("all", lambda: not case.judge(case.observer.values()).lost)
    case.finish()
