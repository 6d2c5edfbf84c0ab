"""The one instant of a demo that falls on a full minute: birthdays come and the night ends then.

Rules name local times in minutes, so the demo picks a minute that lies a little ahead.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from app.core.time.instants import MINUTE_MS

#: Where those live who have a birthday in the demo.
PARTY_ZONE: Final = "Europe/Berlin"
#: Where it is night when the demo starts, until the moment.
NIGHT_ZONE: Final = "Pacific/Auckland"
#: Far enough west of it that the night is longer than the demo, near enough to be in it.
LATE_NIGHT_ZONE: Final = "Australia/Sydney"
#: Away from every other zone's afternoon: London is 11 hours or more behind Auckland.
NIGHT_HOURS: Final = 4


def next_moment_ms(now_ms: int, at_least_ms: int) -> int:
    """The first full minute (epoch ms) that is ``at_least_ms`` or more after ``now_ms``."""
    return -(-(now_ms + at_least_ms) // MINUTE_MS) * MINUTE_MS


def clock_text(instant_ms: int, zone: str, *, hours_before: int = 0) -> str:
    """``HH:MM`` of local time in ``zone``, then or some hours earlier on the same clock."""
    local_time = _local(instant_ms, zone) - timedelta(hours=hours_before)
    return f"{local_time:%H:%M}"


def date_years_before(instant_ms: int, zone: str, years: int) -> date:
    """The local date then, so many years earlier; 29 February becomes the 28th."""
    today = _local(instant_ms, zone).date()
    try:
        return today.replace(year=today.year - years)
    except ValueError:
        return today.replace(year=today.year - years, day=28)


def _local(instant_ms: int, zone: str) -> datetime:
    moment = datetime.fromtimestamp(instant_ms / 1000, UTC)
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
