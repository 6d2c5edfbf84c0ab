"""Sends along the calendar: one bar a day, or a week, or four, so that the bars can be seen."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

import msgspec

_MOST_BARS: Final = 100
_EPOCH: Final = date(1970, 1, 1)
_OTHERS: Final = "all others"


class Calendar(msgspec.Struct, frozen=True):
    """``names`` of the bars (their first day), and of each series one number a bar."""

    unit: str
    names: list[str]
    series: dict[str, list[int]]

    @property
    def totals(self) -> list[int]:
        """Of all series together."""
        return [sum(values) for values in zip(*self.series.values(), strict=True)]


def calendar(counts: Iterable[tuple[int, str, int]], most_series: int) -> Calendar:
    """From (day, series, count): the largest series first, the small ones put together."""
    by_series: dict[str, dict[int, int]] = {}
    days: set[int] = set()
    for day, name, count in counts:
        by_day = by_series.setdefault(name, {})
        by_day[day] = by_day.get(day, 0) + count
        days.add(day)
    if not days:
        return Calendar("day", [], {})
    first, last = min(days), max(days)
    length = next((n for n in (1, 7, 28) if (last - first) // n < _MOST_BARS), 364)
    bars = (last - first) // length + 1
    series = {
        name: _bars(by_day, first, length, bars)
        for name, by_day in sorted(by_series.items(), key=_by_size)
    }
    unit = {1: "day", 7: "week", 28: "4 weeks"}.get(length, "52 weeks")
    return Calendar(
        unit,
        [_day_text(first + bar * length) for bar in range(bars)],
        with_others(series, most_series),
    )


def _by_size(item: tuple[str, Mapping[int, int]]) -> tuple[int, str]:
    return -sum(item[1].values()), item[0]


def _bars(by_day: Mapping[int, int], first: int, length: int, bars: int) -> list[int]:
    values = [0] * bars
    for day, count in by_day.items():
        values[(day - first) // length] += count
    return values


def _day_text(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()


def with_others(series: Mapping[str, Sequence[int]], most: int) -> dict[str, list[int]]:
    """The first ones as they are; beyond ``most`` the rest are added up."""
    if len(series) <= most:
        return {name: list(values) for name, values in series.items()}
    names = list(series)
    kept = {name: list(series[name]) for name in names[: most - 1]}
    rest = [series[name] for name in names[most - 1 :]]
    kept[f"{_OTHERS} ({len(rest)})"] = [sum(values) for values in zip(*rest, strict=True)]
    return kept
