"""Instants as integer epoch milliseconds, and their RFC 3339 text."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_RFC3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
#: What the standard library reads as RFC 3339 means it, five times faster.
_COMMON: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:[0-5]\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_MILLISECOND: Final = timedelta(milliseconds=1)

SECOND_MS: Final = 1000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

#: Earlier and later than every instant that an event, a timer or a clock can have.
BEGINNING_OF_TIME_MS: Final = -(1 << 62)
END_OF_TIME_MS: Final = 1 << 62

#: 0001-01-02 to 9000-01-01: dates that every zone can write, and years of room to schedule after.
MIN_MS: Final = -62135510400000
MAX_MS: Final = 221845392000000


@dataclass(slots=True, init=False)
class Instant:
    """Where the clocks of a partition stand when something is handled. Neither goes backwards."""

    #: the engine's clock, for gates
    now_ms: int
    #: event time up to which the input is complete: timers at or before it are due
    watermark_ms: int
    #: the input was read up to its end a moment ago, so marketing steps may be decided
    is_current: bool

    def __init__(
        self,
        now_ms: int,
        watermark_ms: int,
        is_current: bool = True,
    ) -> None:
        self.now_ms = now_ms
        self.watermark_ms = watermark_ms
        self.is_current = is_current


def parse_rfc3339(text: str) -> int:
    """Epoch milliseconds of an RFC 3339 time with an offset; a finer fraction is cut off.

    A leap second counts as the first instant of the next minute. Raises ValueError.
    """
    if _COMMON.fullmatch(text):
        try:
            return (datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND
        except ValueError:
            pass
    return _parse_any(text)


def _parse_any(text: str) -> int:
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"not an RFC 3339 time with an offset: {text[:64]!r}")
    year, month, day, hour, minute, second, fraction, _, sign, off_h, off_m = match.groups()
    leap = second == "60"
    moment = datetime(
        int(year),
        int(month),
        int(day),
        int(hour),
        int(minute),
        59 if leap else int(second),
        tzinfo=UTC,
    )
    seconds = (moment - _EPOCH) // timedelta(seconds=1) + leap
    if sign:
        if int(off_h) > 23 or int(off_m) > 59:
            raise ValueError(f"no such offset: {text[:64]!r}")
        offset_s = int(off_h) * 3600 + int(off_m) * 60
        seconds += -offset_s if sign == "+" else offset_s
    millis = 0 if leap or not fraction else int(fraction[:3].ljust(3, "0"))
    return seconds * 1000 + millis


def _date(day: int) -> str:
    """The date of a day since 1970, kept in place of the one that was there."""
    date = _EPOCH + timedelta(days=day)
    text = date.strftime("%Y-%m-%dT").rjust(11, "0")
    _DATES[day & _LAST_DATE] = day, text
    return text


_LAST_DATE: Final = (1 << 12) - 1
#: Dates as they were asked for: (day since 1970, its text), each day in the one place it can have.
_DATES: Final = [(1, "")] + [(0, "")] * _LAST_DATE
_MINUTES: Final = [f"{minute // 60:02d}:{minute % 60:02d}:" for minute in range(24 * 60)]
_SECONDS: Final = [f"{second:02d}." for second in range(60)]
_MILLIS: Final = [f"{millis:03d}Z" for millis in range(1000)]


def format_rfc3339(instant_ms: int) -> str:
    """RFC 3339 UTC with milliseconds, as every output record has it."""
    day = instant_ms // DAY_MS
    millis = instant_ms - day * DAY_MS
    minute = millis // MINUTE_MS
    millis -= minute * MINUTE_MS
    second = millis // SECOND_MS
    kept, date = _DATES[day & _LAST_DATE]
    if kept != day:
        date = _date(day)
    return f"{date}{_MINUTES[minute]}{_SECONDS[second]}{_MILLIS[millis - second * SECOND_MS]}"
