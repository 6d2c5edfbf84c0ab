"""Workers that die by SIGKILL, wherever they are."""

import random

import pytest

from tests.fault.budget import EVENTS, IS_WHOLE, some
from tests.fault.case import CaseOf, pause
from tests.fault.history import history
from tests.integration.test_exactly_once import POINTS

pytestmark = pytest.mark.soak
BOTH = pytest.mark.parametrize("broker", ["embedded", "kafka"], indirect=True)
#: Transactions that are let pass, over all kills of a case.
PASSED = 48


@BOTH
def test_killed_before_and_after_every_effect(
    request: pytest.FixtureRequest, case_of: CaseOf
) -> None:
    """One worker after the other over one history, each at the next point; the volume is lost
    after every third.
    """
    is_embedded = "embedded" in request.node.name
    points = POINTS if IS_WHOLE else POINTS[1::4] if is_embedded else POINTS[::3]
    case = case_of(history(EVENTS))
    for number, point in enumerate(points):
        case.start(CRASH_AT=f"{point} skip {PASSED // len(points) - 1}")
        case.dies()
        if number % 3 == 2:
            case.wipe("a")
    case.start()
    case.finish()


@BOTH
def test_killed_during_recovery(case_of: CaseOf) -> None:
    """In the middle of what a lost volume is rebuilt from, and again over what that left behind."""
    case = case_of(history(EVENTS))
    for share in (0.3, 0.6)[: some(2, 1)]:
        case.start()
        case.wait_for_share(share)
        case.kill()
        case.wipe("a")
        for point in ("before recovery", "after recovery skip 1", "after recovery skip 3"):
            case.start(CRASH_AT=point, TRIGGER_MAX_POLL_RECORDS=str(max(1, EVENTS // 100)))
            case.dies()
    case.start()
    case.finish()


@pytest.mark.parametrize("which", ["one who has", "one who gets"])
def test_killed_during_a_rebalance(case_of: CaseOf, which: str) -> None:
    """While partitions go from one worker to another, at each point of it: whoever loses them
    dies, or whoever gets them. Both start again at once.
    """
    case = case_of(history(EVENTS))
    session = {"TRIGGER_SESSION_TIMEOUT": "6s"}
    points = ["before revoked", "after revoked", "before recovery", "before assigned"]
    if which == "one who gets":
        points = ["before recovery", "after recovery", "before assigned", "after assigned"]
    for number, point in enumerate(points[: some(4, 1)]):
        had, gets = "ab" if number % 2 == 0 else "ba"
        # its first assignment is not the one: it comes to that point for the second time
        crash = {"CRASH_AT": point}
        case.start(had, **session, **(crash if which == "one who has" else {}))
        case.wait_for_share((number + 1) / 6)
        case.start(gets, **session, **(crash if which == "one who gets" else {}))
        case.dies(had if which == "one who has" else gets)
        pause(case, 1.0)
        for name in list(case.workers):
            case.kill(name)
    case.start("a", **session)
    case.start("b", **session)
    case.finish()


def test_two_workers_of_which_one_is_killed_every_few_seconds(case_of: CaseOf) -> None:
    """For two minutes, while events come in; at random which, and when."""
    whole = history(EVENTS)
    case = case_of(whole, is_published=False)
    choice = random.Random(3)
    lines, kills = whole.lines, some(24, 3)
    for name in "ab":
        case.start(name, TRIGGER_SESSION_TIMEOUT="6s")
    for number in range(kills):
        case.publish(lines[len(lines) * number // kills : len(lines) * (number + 1) // kills])
        pause(case, choice.uniform(3.0, 7.0))
        victim = choice.choice("ab")
        case.kill(victim)
        if choice.random() < 0.3:
            case.wipe(victim)
        case.start(victim, TRIGGER_SESSION_TIMEOUT="6s")
    case.finish()
