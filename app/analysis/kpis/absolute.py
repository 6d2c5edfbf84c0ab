"""Absolute figures: what the messages brought in the period, in orders, money and contacts.

Per customer who was sent messages, less the same per customer who was held out, times the customers
who were sent messages. Orders are those within the attribution window of any of the messages (or
ghost sends), each counted once. The interval is Welch's, by customer, scaled alike.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from app.analysis.kpis.counting import Arm, Counts
from app.analysis.kpis.kpi import Kpi, Unit, missing
from app.analysis.statistics.clusters import ClusterSums, mean_difference_interval
from app.analysis.statistics.intervals import Interval

_CUSTOMERS: Final = "customers"


def absolute_kpis(counts: Counts, costs: Mapping[str, float], kinds: frozenset[str]) -> list[Kpi]:
    """Orders, revenue, margin and support contacts; with ``costs`` (money per message of a channel)
    what the messages cost and returned. ``kinds`` are the kinds of outcome in the files.
    """
    sent, ghost = counts.sent, counts.ghost
    currency = min(sent.currencies | ghost.currencies, default=None) or None
    orders = _scaled("incremental_orders", "Incremental orders", sent, ghost, "customer_orders")
    revenue = _money(
        _scaled(
            "incremental_revenue",
            "Incremental revenue",
            sent,
            ghost,
            "customer_revenue",
            "money",
            currency,
        ),
        sent,
        ghost,
        "value",
    )
    margin = _money(
        _scaled(
            "incremental_margin",
            "Incremental margin",
            sent,
            ghost,
            "customer_margin",
            "money",
            currency,
        ),
        sent,
        ghost,
        "margin",
    )
    found = [orders, revenue, margin, _avoided(sent, ghost, kinds)]
    return [*found, *_returns(sent, costs, revenue, margin)] if costs else found


def _scaled(
    name: str,
    label: str,
    sent: Arm,
    ghost: Arm,
    metric: str,
    unit: Unit = "count",
    currency: str | None = None,
    *,
    sign: int = 1,
) -> Kpi:
    """``sign`` -1: what is avoided counts."""
    first, other = sent.of(metric), ghost.of(metric)
    kpi = Kpi(
        name=name,
        label=label,
        unit=unit,
        currency=currency,
        sample=first.clusters,
        others=other.clusters,
        of_what=_CUSTOMERS,
    )
    if not first.clusters or not other.clusters:
        side = "was sent a message" if not first.clusters else "was held out"
        return missing(kpi, f"no customer {side}")
    scale = sign * first.clusters
    value = scale * (first.ratio - other.ratio)
    interval = _with_a_zero(first, other)
    if interval is None:
        return msgspec.structs.replace(kpi, value=value, reason="no interval: one customer")
    ends = sorted((scale * interval.low, scale * interval.high))
    return msgspec.structs.replace(
        kpi,
        value=value,
        low=ends[0],
        high=ends[1],
        method=f"Welch, by customer, times {first.clusters} customers",
    )


def _with_a_zero(first: ClusterSums, other: ClusterSums) -> Interval | None:
    """None as well when nothing at all was seen: an interval of no width would claim certainty."""
    if first.x == 0 and other.x == 0:
        return None
    return mean_difference_interval(first, other)


def _money(kpi: Kpi, sent: Arm, ghost: Arm, what: str) -> Kpi:
    """With what the purchases leave unsaid."""
    currencies = sent.currencies | ghost.currencies
    if len(currencies) > 1:
        names = " and ".join(name or "none" for name in sorted(currencies))
        return missing(kpi, f"several currencies (as {names}): choose one with --currency")
    directs = sent.directs + ghost.directs
    without = sum(
        arm.without_value if what == "value" else arm.without_margin for arm in (sent, ghost)
    )
    if directs and without == directs:
        return missing(kpi, f"no converted order says its {what}")
    if without and kpi.value is not None:
        reason = f"{without} of {directs} converted orders say no {what} and count as 0"
        return msgspec.structs.replace(kpi, reason=reason)
    return kpi


def _avoided(sent: Arm, ghost: Arm, kinds: frozenset[str]) -> Kpi:
    kpi = _scaled(
        "support_contacts_avoided",
        "Support contacts avoided",
        sent,
        ghost,
        "customer_contacts",
        sign=-1,
    )
    if kpi.value is not None and "support" not in kinds:
        return missing(kpi, "no support contact in the outcomes")
    return kpi


def _returns(sent: Arm, costs: Mapping[str, float], revenue: Kpi, margin: Kpi) -> list[Kpi]:
    """The cost is counted, not estimated: it has no interval. The return is margin (without one:
    revenue) per unit of money spent.
    """
    unpriced = sorted(sent.channels.keys() - costs.keys())
    cost = sum(count * costs.get(channel, 0.0) for channel, count in sent.channels.items())
    reason = "counted, so without an interval"
    if unpriced:
        reason += f"; no --cost for {', '.join(unpriced)}: counted as 0"
    spent = Kpi(
        name="message_cost",
        label="Cost of the messages",
        unit="money",
        value=cost,
        currency=margin.currency,
        sample=sent.messages,
        of_what="messages",
        reason=reason,
    )
    gain = revenue if margin.value is None else margin
    what = "revenue" if margin.value is None else "margin"
    back = msgspec.structs.replace(
        gain,
        name="return_on_cost",
        label=f"Return: incremental {what} per unit of money spent on messages",
        unit="number",
        currency=None,
    )
    if gain.value is None:
        return [spent, missing(back, gain.reason or "no incremental margin")]
    if cost == 0:
        return [spent, missing(back, "the messages cost nothing")]
    ends = {
        name: None if end is None else end / cost
        for name, end in (("low", gain.low), ("high", gain.high))
    }
    return [spent, msgspec.structs.replace(back, value=gain.value / cost, **ends)]
