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


#: The dates of days since 1970, and the times of seconds of the day, each made when it is first
#: asked for; of times with all of their hour.
_DATES: Final[dict[int, str]] = {}
_MOST_DATES: Final = 8192
_TIMES: Final[dict[int, str]] = {}
_OF_HOUR: Final = [f"{second // 60:02d}:{second % 60:02d}." for second in range(3600)]
_MILLIS: Final = [f"{millis:03d}Z" for millis in range(1000)]


def format_rfc3339(instant_ms: int) -> str:
    """RFC 3339 UTC with milliseconds, as every output record has it."""
    day = instant_ms // DAY_MS
    millis = instant_ms - day * DAY_MS
    second = millis // SECOND_MS
    try:
        return f"{_DATES[day]}{_TIMES[second]}{_MILLIS[millis - second * SECOND_MS]}"
    except KeyError:
        _make_texts(day, second)
    return format_rfc3339(instant_ms)


def _make_texts(day: int, second: int) -> None:
    if day not in _DATES:
        if len(_DATES) >= _MOST_DATES:
            _DATES.clear()
        date = _EPOCH + timedelta(days=day)
        _DATES[day] = date.strftime("%Y-%m-%dT").rjust(11, "0")
    if second not in _TIMES:
        hour = second // 3600
        for of_hour, text in enumerate(_OF_HOUR):
            _TIMES[hour * 3600 + of_hour] = f"{hour:02d}:{text}"
