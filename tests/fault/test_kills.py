"""Workers that die by SIGKILL, wherever they are."""

import pytest

from tests.fault.budget import EVENTS, IS_WHOLE
from tests.fault.case import CaseOf
from tests.fault.history import history
from tests.integration.test_exactly_once import POINTS

pytestmark = pytest.mark.soak
BOTH = pytest.mark.parametrize("broker", ["embedded", "kafka"], indirect=True)


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
        case.start(CRASH_AT=f"{point} skip {number % 3}")
        case.dies()
        if number % 3 == 2:
            case.wipe("a")
    case.start()
    case.finish()
