"""Workers that die by SIGKILL, wherever they are."""

import random

import pytest

from tests.fault.budget import EVENTS, some
from tests.fault.case import CaseOf, pause
from tests.fault.history import history

pytestmark = pytest.mark.soak
#: The embedded broker bears no kill in the middle of a transaction (app/kafka/embedded_broker.py).
GUARANTEES = pytest.mark.parametrize(
    ("broker", "guarantee"),
    [("kafka", "exactly_once"), ("kafka", "at_least_once"), ("embedded", "at_least_once")],
    indirect=["broker"],
)
BOTH = pytest.mark.parametrize(
    ("broker", "guarantee"),
    [("kafka", "exactly_once"), ("embedded", "at_least_once")],
    indirect=["broker"],
)
#: Every numbered effect of app/live/commit/exactly_once.py and of app/live/commit/at_least_once.py.
POINTS = {
    guarantee: [f"{when} {number}" for number in range(1, last + 1) for when in ("before", "after")]
    for guarantee, last in (("exactly_once", 8), ("at_least_once", 7))
}
#: Transactions that are let pass, over all kills of a case.
PASSED = 48
#: Who has the partitions comes to them for the second time.
REBALANCE = {
    "loses": ["before revoked", "after revoked", "before assigned skip 1", "after assigned skip 1"],
    "gets": ["before recovery", "after recovery", "before assigned", "after assigned"],
}


@GUARANTEES
def test_killed_before_and_after_every_effect(case_of: CaseOf, guarantee: str) -> None:
    """One worker after the other over one history, each at the next point; the volume is lost
    after every third.
    """
    points = POINTS[guarantee][:: some(1, 4)]
    case = case_of(history(EVENTS), guarantee=guarantee)
    for number, point in enumerate(points):
        case.start(CRASH_AT=f"{point} skip {PASSED // len(points) - 1}")
        case.dies()
        if number % 3 == 2:
            case.wipe("a")
    case.start()
    case.finish()


@BOTH
def test_killed_during_recovery(case_of: CaseOf, guarantee: str) -> None:
    """In the middle of what a lost volume is rebuilt from, and again over what that left behind."""
    case, step = case_of(history(EVENTS), guarantee=guarantee), some(1, 2)
    for share in (0.3, 0.6)[: some(2, 1)]:
        case.start()
        case.wait_for_share(share)
        case.kill()
        case.wipe("a")
        for point in ("before recovery", "after recovery skip 1", "after recovery skip 3")[::step]:
            case.start(CRASH_AT=point, TRIGGER_MAX_POLL_RECORDS=str(max(1, EVENTS // 100)))
            case.dies()
    case.start()
    case.finish()


@pytest.mark.parametrize("who", ["loses", "gets"])
def test_killed_during_a_rebalance(case_of: CaseOf, who: str) -> None:
    """The worker that loses partitions is killed, or the one that gets them, at each point of the
    rebalance; the other goes on alone until the next round.
    """
    whole = history(EVENTS)
    case = case_of(whole, is_published=False)
    session = {"TRIGGER_SESSION_TIMEOUT": "6s"}
    points = REBALANCE[who][: some(4, 1)]
    for number, point in enumerate(points):
        loses, gets = "ab" if number % 2 == 0 else "ba"
        if loses not in case.workers or who == "loses":
            case.leave(loses)
            case.start(loses, **session, **({"CRASH_AT": point} if who == "loses" else {}))
        case.wait_until_ready(loses)
        case.publish(whole.part(number, len(points)))
        case.leave(gets)
        case.start(gets, **session, **({"CRASH_AT": point} if who == "gets" else {}))
        case.dies(loses if who == "loses" else gets)
    for name in "ab":
        case.leave(name)
        case.start(name, **session)
    case.finish()


def test_two_workers_of_which_one_is_killed_every_few_seconds(case_of: CaseOf) -> None:
    """For two minutes, while events come in; at random which, and when."""
    whole = history(EVENTS)
    case = case_of(whole, is_published=False)
    choice = random.Random(3)
    kills = some(24, 2)
    session = {"TRIGGER_SESSION_TIMEOUT": "6s"}
    for name in "ab":
        case.start(name, **session)
    for number in range(kills):
        case.publish(whole.part(number, kills))
        pause(case, choice.uniform(3.0, 7.0))
        victim = choice.choice("ab")
        case.kill(victim)
        if choice.random() < 0.3:
            case.wipe(victim)
        case.start(victim, **session)
    case.finish()
