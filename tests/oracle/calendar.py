"""Naive time arithmetic for the oracle: durations, RFC 3339, local times and their odd days.

All instants are integer epoch milliseconds in UTC; local times are naive datetimes.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_MS = 1000
DAY_MS = 86_400_000
UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": DAY_MS}

_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


def duration_ms(text: str | int) -> int:
    """`30s 15m 48h 10d` in milliseconds; 0 needs no unit."""
    if isinstance(text, int):
        return text
    return int(text[:-1]) * UNIT_MS[text[-1]]


def to_ms(moment: datetime) -> int:
    """An aware datetime as epoch milliseconds, rounded down."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def instant_or_none(value: Any) -> int | None:
    """An `occurred_at`: RFC 3339 with an offset or whole epoch milliseconds; None if it is neither.

    A fraction of a second is cut to milliseconds. Only the years 1 to 9999 exist.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        lowest = to_ms(datetime(1, 1, 1, tzinfo=UTC))
        highest = to_ms(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
        return value if lowest <= value <= highest else None
    if not isinstance(value, str):
        return None
    match = _RFC3339.fullmatch(value)
    if match is None:
        return None
    day, clock, fraction, offset = match.groups()
    offset = "+00:00" if offset in "Zz" else offset
    try:
        whole = datetime.fromisoformat(f"{day}T{clock}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return to_ms(whole) + int(((fraction or "") + "000")[:3])


def local(ms: int, zone: str) -> datetime:
    """What a wall clock in the zone shows at the instant, as a naive datetime."""
    return (EPOCH + timedelta(milliseconds=ms)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def clock_time(text: str) -> time:
    """`HH:MM` as a time."""
    hour, minute = text.split(":")
    return time(int(hour), int(minute))


def instants(day: date, at: time, zone: str) -> list[int]:
    """When it is `at` on that local day, in order.

    One instant usually, two where the clock is set back over it. Where the clock is set forward
    over it, the first instant after the jump.
    """
    wall = datetime.combine(day, at)
    readings = [
        to_ms(wall.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)) for fold in (0, 1)
    ]
    real = sorted({ms for ms in readings if local(ms, zone) == wall})
    if real:
        return real
    ms = min(readings)
    while local(ms, zone) < wall:
        ms += SECOND_MS
    return [ms]


def next_clock_time(after_ms: int, at: time, zone: str) -> int:
    """The earliest instant later than `after_ms` at which the local time is `at`."""
    today = local(after_ms, zone).date()
    candidates: list[int] = []
    for shift in (-1, 0, 1, 2):
        candidates += instants(today + timedelta(days=shift), at, zone)
    return min(ms for ms in candidates if ms > after_ms)


WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def is_in_window(now_ms: int, body: Mapping[str, Any], zone: str) -> bool:
    """Whether the local time is in a window of `from`, `to`, `days` and `except`."""
    wall = local(now_ms, zone)
    clock = wall.strftime("%H:%M")
    begins = [(wall.date(), body["from"], body["to"] if body["from"] < body["to"] else "24:00")]
    if body["to"] <= body["from"]:
        begins.append((wall.date() - timedelta(days=1), "00:00", body["to"]))
    return any(
        start <= clock < end
        and ("days" not in body or WEEKDAYS[day.weekday()] in body["days"])
        and day.isoformat() not in body.get("except", [])
        for day, start, end in begins
    )


def first_minute(now_ms: int, last_ms: int, holds: Callable[[int], bool]) -> int:
    """The first whole minute after `now_ms` at which it holds; after `last_ms` when none is."""
    at = now_ms - now_ms % 60_000 + 60_000
    while at <= last_ms and not holds(at):
        at += 60_000
    return at


def anniversary_ms(origin: date, year: int, at: time, zone: str) -> int:
    """The instant of that month and day in `year`; 29 February falls on 28 in other years."""
    try:
        day = origin.replace(year=year)
    except ValueError:
        day = date(year, 2, 28)
    return instants(day, at, zone)[0]


def date_or_none(value: Any) -> date | None:
    """A `YYYY-MM-DD` date; None for anything else."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def yearly_or_none(value: Any) -> date | None:
    """A day that comes again: `YYYY-MM-DD`, or `--MM-DD` as one of a leap year long ago."""
    if isinstance(value, str) and value.startswith("--"):
        return date_or_none(f"0004{value[1:]}")
    return date_or_none(value)


def is_zone(name: Any) -> bool:
    """Whether the name is one of the time zone database."""
    if not isinstance(name, str) or not name:
        return False
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True
