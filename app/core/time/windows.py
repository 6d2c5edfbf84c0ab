"""Windows of local time on days of the week, and when they open and close."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from app.core.time.zones import instant_of_local, is_inside, local

#: In the order of ``date.weekday``.
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES: Final = 24 * 60
#: How many days ahead an opening is looked for: every weekday comes twice, and holidays pass.
_DAYS_AHEAD: Final = 400
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """[start, end) in minutes of the local day; an ``end`` not after ``start`` is the next day's.

    ``days``: weekdays on which the window begins, empty for all; ``except_days``: local dates on
    which it does not begin.
    """

    start: int
    end: int
    days: frozenset[int] = frozenset()
    except_days: frozenset[date] = frozenset()

    def begins_on(self, day: date) -> bool:
        """Whether a window begins on that local date."""
        return (not self.days or day.weekday() in self.days) and day not in self.except_days


def is_open(window: Window, local_time: datetime) -> bool:
    """Whether a local time is inside the window."""
    minute = local_time.hour * 60 + local_time.minute
    if not is_inside(minute, window.start, window.end):
        return False
    if not window.days and not window.except_days:
        return True
    is_of_yesterday = window.end <= window.start and minute < window.end
    return window.begins_on(
        local_time.date() - timedelta(days=1) if is_of_yesterday else local_time.date()
    )


def next_opening(window: Window, now_ms: int, tz: ZoneInfo) -> int | None:
    """The first instant after ``now_ms`` at which a closed window is open; None: not for over a
    year.
    """
    for opens_ms in _instants_of(window.start, now_ms, tz, _DAYS_AHEAD):
        if is_open(window, local(opens_ms, tz)):
            return opens_ms
    return None


def endings(window: Window, now_ms: int, tz: ZoneInfo, days: int) -> Iterator[int]:
    """The instants after ``now_ms``, up to that many days ahead, at which a window may close, in
    order.
    """
    return _instants_of(window.end % DAY_MINUTES, now_ms, tz, days)


def first_beginning(window: Window, from_ms: int, tz: ZoneInfo) -> int | None:
    """The first instant >= ``from_ms`` at which it is the window's ``start`` on one of its days;
    None when there is none for over a year.
    """
    today = local(from_ms, tz).date()
    for ahead in range(_DAYS_AHEAD):
        day = today + timedelta(days=ahead)
        if window.begins_on(day):
            for fold in (0, 1):
                at_ms = instant_of_local(day, window.start, tz, fold=fold)
                if at_ms >= from_ms:
                    return at_ms
    return None


def _instants_of(minute: int, now_ms: int, tz: ZoneInfo, days: int) -> Iterator[int]:
    """The instants after ``now_ms`` at which it is that minute of the local day, and those at which
    the clock of the zone is set, in order.
    """
    day = local(now_ms, tz).date()
    for _ in range(days + 1):
        for instant_ms in _instants_on(day, minute, tz):
            if instant_ms > now_ms:
                yield instant_ms
        day += _DAY


@lru_cache(maxsize=4096)
def _instants_on(day: date, minute: int, tz: ZoneInfo) -> tuple[int, ...]:
    """Those of one local day."""
    found = {instant_of_local(day, minute, tz, fold=fold) for fold in (0, 1)}
    return tuple(sorted(found.union(_clock_changes(day, tz))))


@lru_cache(maxsize=4096)
def _clock_changes(day: date, tz: ZoneInfo) -> tuple[int, ...]:
    """The instant on a local day at which the clock is set forward or back, if there is one."""
    low, high = instant_of_local(day, 0, tz), instant_of_local(day + timedelta(days=1), 0, tz)
    before = local(low, tz).utcoffset()
    if local(high, tz).utcoffset() == before:
        return ()
    while high - low > 1:
        middle = (low + high) // 2
        if local(middle, tz).utcoffset() == before:
            low = middle
        else:
            high = middle
    return (high,)
