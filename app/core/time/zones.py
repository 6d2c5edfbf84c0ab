"""Local time: from an instant to the local time of the customer's zone, and back."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.core.time.instants import DAY_MS, MINUTE_MS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = _EPOCH.toordinal()
_MILLISECOND: Final = timedelta(milliseconds=1)


@lru_cache(maxsize=2048)
def zone(name: str) -> ZoneInfo:
    """The IANA zone of that name. Raises ValueError when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no IANA time zone is called {name[:64]!r}") from None


def local(instant_ms: int, tz: ZoneInfo) -> datetime:
    """The local time in ``tz`` at that instant."""
    return datetime.fromtimestamp(instant_ms / 1000, tz)


@lru_cache(maxsize=16384)
def instant_of_local(day: date, minute: int, tz: ZoneInfo, *, fold: int = 0) -> int:
    """When it is ``minute`` minutes past midnight on ``day`` in ``tz``.

    A local time that a clock change skips falls on the first instant after the gap; of one that
    comes twice, ``fold`` chooses (the first by default).
    """
    local_time = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=tz)
    local_ms = (day.toordinal() - _EPOCH_DAY) * DAY_MS + minute * MINUTE_MS
    first_ms = local_ms - _offset_ms(local_time)
    second_ms = local_ms - _offset_ms(local_time.replace(fold=1))
    if first_ms <= second_ms:
        return second_ms if fold else first_ms
    # In a gap fold 0 reads local time with the offset before it, which lands after the change.
    return _first_instant_after_gap(second_ms, first_ms, tz)


def _offset_ms(local_time: datetime) -> int:
    offset = local_time.utcoffset()
    assert offset is not None
    return offset // _MILLISECOND


def _first_instant_after_gap(before_ms: int, after_ms: int, tz: ZoneInfo) -> int:
    old = local(before_ms, tz).utcoffset()
    low, high = before_ms, after_ms
    while high - low > 1:
        middle = (low + high) // 2
        if local(middle, tz).utcoffset() == old:
            low = middle
        else:
            high = middle
    return high


def next_local_time(now_ms: int, minute: int, tz: ZoneInfo) -> int:
    """The first instant after ``now_ms`` at which it is ``minute`` past midnight in ``tz``."""
    today = local(now_ms, tz).date()
    for days in (0, 1, 2):
        for fold in (0, 1):
            instant_ms = instant_of_local(today + timedelta(days=days), minute, tz, fold=fold)
            if instant_ms > now_ms:
                return instant_ms
    raise AssertionError("no local time is more than two days away")


def is_inside(minute: int, start: int, end: int) -> bool:
    """Whether a minute of the day is in [start, end), which may pass midnight."""
    if start < end:
        return start <= minute < end
    return minute >= start or minute < end
