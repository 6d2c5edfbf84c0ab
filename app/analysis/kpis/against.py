"""Two periods compared: the difference of each KPI with its interval."""

from collections.abc import Mapping, Sequence
from math import isfinite

import msgspec

from app.analysis.kpis.kpi import Kpi
from app.analysis.statistics.intervals import Interval, difference_of_intervals


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A KPI now and in the other period. ``difference`` is now less then, None where one of them
    has no figure or it is beyond the range of numbers; its interval holds for two periods whose
    errors are independent, and is wide rather than narrow for customers who are in both.
    """

    name: str
    label: str
    unit: str
    currency: str | None
    now: Kpi
    then: Kpi
    difference: float | None = None
    interval: Interval | None = None


def changes(
    now: Mapping[str, Sequence[Kpi]], then: Mapping[str, Sequence[Kpi]]
) -> dict[str, list[Change]]:
    """Group by group, those that are in both periods."""
    return {
        group: [
            _change(kpi, other)
            for kpi in kpis
            for other in then[group]
            if kpi.name == other.name and (kpi.value is not None or other.value is not None)
        ]
        for group, kpis in now.items()
        if group in then
    }


def _change(now: Kpi, then: Kpi) -> Change:
    change = Change(
        name=now.name, label=now.label, unit=now.unit, currency=now.currency, now=now, then=then
    )
    if now.value is None or then.value is None or now.currency != then.currency:
        return change
    difference = now.value - then.value
    if not isfinite(difference):
        return change
    change = msgspec.structs.replace(change, difference=difference)
    if now.low is None or now.high is None or then.low is None or then.high is None:
        return change
    interval = difference_of_intervals(
        now.value, Interval(now.low, now.high), then.value, Interval(then.low, then.high)
    )
    if not isfinite(interval.high - interval.low):
        return change
    return msgspec.structs.replace(change, interval=interval)
