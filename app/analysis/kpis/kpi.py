"""A KPI as a value: what it is, how large, how sure, and of how many."""

from math import isfinite
from typing import Final, Literal

import msgspec

from app.analysis.statistics.clusters import (
    ClusterSums,
    difference_interval,
    mean_difference_interval,
    mean_interval,
    share_interval,
)
from app.analysis.statistics.intervals import Interval

Unit = Literal["share", "points", "money", "days", "number", "count"]

_OUT_OF_RANGE: Final = "is beyond the range of numbers: look for an impossible amount"
_CONCENTRATED: Final = "a few customers have most of these: the interval is too narrow"


class Kpi(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one group. ``value`` None: it cannot be computed, and ``reason`` says why.

    A ``share`` is in 0..1, ``points`` are a difference of two shares, ``money`` is in
    ``currency``, a ``count`` is of things that are whole. ``low`` and ``high`` are its 95 %
    interval by ``method``. ``sample`` counts ``of_what``; of a comparison ``others`` counts those
    that it was compared with. ``count`` is the numerator of a share. ``reason`` of a figure that is
    there is what to know of it.
    """

    name: str
    label: str
    unit: Unit
    value: float | None = None
    low: float | None = None
    high: float | None = None
    method: str | None = None
    sample: int = 0
    others: int | None = None
    of_what: str
    count: int | None = None
    currency: str | None = None
    reason: str | None = None


def missing(kpi: Kpi, reason: str) -> Kpi:
    """The same without a figure."""
    return msgspec.structs.replace(
        kpi, value=None, low=None, high=None, method=None, count=None, reason=reason
    )


def in_range(kpi: Kpi) -> Kpi:
    """The same without a figure, or without an interval, that is no finite number."""
    if kpi.value is None:
        return kpi
    if not isfinite(kpi.value):
        return missing(kpi, _OUT_OF_RANGE)
    if all(end is None or isfinite(end) for end in (kpi.low, kpi.high)):
        return kpi
    return msgspec.structs.replace(
        kpi, low=None, high=None, method=None, reason=f"the interval {_OUT_OF_RANGE}"
    )


def share(name: str, label: str, sums: ClusterSums, of_what: str) -> Kpi:
    """x of m."""
    kpi = Kpi(name=name, label=label, unit="share", sample=round(sums.m), of_what=of_what)
    if sums.m == 0:
        return missing(kpi, f"no {of_what}")
    return _with(
        msgspec.structs.replace(kpi, count=round(sums.x)),
        sums.ratio,
        share_interval(sums),
        _scaled("Wilson", sums),
        sums,
    )


def mean(
    name: str, label: str, sums: ClusterSums, of_what: str, unit: Unit, currency: str | None = None
) -> Kpi:
    """x per m."""
    kpi = Kpi(
        name=name,
        label=label,
        unit=unit,
        sample=round(sums.m),
        of_what=of_what,
        currency=currency,
    )
    if sums.m == 0:
        return missing(kpi, f"no {of_what}")
    return _with(kpi, sums.ratio, mean_interval(sums), "Student, by customer", sums)


def difference(name: str, label: str, sent: ClusterSums, ghost: ClusterSums, of_what: str) -> Kpi:
    """The share of those sent minus that of those held out."""
    kpi = _compared(name, label, "points", sent, ghost, of_what)
    if kpi.reason is not None:
        return kpi
    interval, method = difference_interval(sent, ghost), _scaled("Newcombe", sent, ghost)
    return _with(kpi, sent.ratio - ghost.ratio, interval, method, sent, ghost)


def mean_difference(
    name: str, label: str, sent: ClusterSums, ghost: ClusterSums, of_what: str
) -> Kpi:
    """The mean of those sent minus that of those held out."""
    kpi = _compared(name, label, "number", sent, ghost, of_what)
    if kpi.reason is not None:
        return kpi
    interval = mean_difference_interval(sent, ghost)
    return _with(kpi, sent.ratio - ghost.ratio, interval, "Welch, by customer", sent, ghost)


def _compared(
    name: str, label: str, unit: Unit, sent: ClusterSums, ghost: ClusterSums, of_what: str
) -> Kpi:
    """A difference without its value yet; with a reason when one side has nothing."""
    kpi = Kpi(
        name=name,
        label=label,
        unit=unit,
        sample=round(sent.m),
        others=round(ghost.m),
        of_what=of_what,
    )
    if sent.m == 0 or ghost.m == 0:
        return missing(kpi, f"no {of_what} were {'sent' if sent.m == 0 else 'held out'}")
    return kpi


def _with(
    kpi: Kpi, value: float, interval: Interval | None, method: str, *arms: ClusterSums
) -> Kpi:
    if interval is None:
        reason = "no interval: all are of one customer"
        return msgspec.structs.replace(kpi, value=value, reason=reason)
    return msgspec.structs.replace(
        kpi,
        value=value,
        low=interval.low,
        high=interval.high,
        method=method,
        reason=_CONCENTRATED if any(arm.is_concentrated for arm in arms) else None,
    )


def _scaled(method: str, *arms: ClusterSums) -> str:
    """Says when the counts were scaled down, and by how much."""
    effects = [arm.design_effect for arm in arms]
    if max(effects) <= 1:
        return method
    return f"{method}, design effect {', '.join(f'{effect:.2f}' for effect in effects)}"
