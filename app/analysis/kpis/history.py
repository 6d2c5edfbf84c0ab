"""KPIs that need the whole history of purchases, not only those after a message."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from app.analysis.data.database import Database
from app.analysis.kpis.dimensions import ALL, grouped
from app.analysis.kpis.kpi import Kpi, mean, missing
from app.analysis.statistics.clusters import ClusterSums
from app.analysis.statistics.intervals import median_shares

_NO_EVENTS: Final = "needs the history of purchases: give --events"
_LATENCY: Final = Kpi(
    name="repeat_purchase_latency",
    label="Repeat purchase latency (median)",
    unit="days",
    of_what="repeat purchases",
)
_PRICE: Final = Kpi(
    name="average_selling_price_all",
    label="Average selling price of all orders of the period",
    unit="money",
    of_what="orders",
)
#: Dimensions of purchases; by the others a purchase is in the group of the message that it is
#: credited to.
_OF_PURCHASES: Final = (None, "week", "segment")


def history_kpis(
    database: Database, by: str | None, groups: Iterable[str], *, has_orders: bool
) -> dict[str, list[Kpi]]:
    """Price of all orders and repeat purchase latency, for each of the groups.

    By trigger, channel or variant the latency is that of the purchases credited to its messages,
    and the price to compare with is that of all orders. The period is that of the messages and
    their outcomes. Latency counts every purchase after a customer's first, whenever it was.
    """
    if not has_orders:
        return {
            group: [missing(_PRICE, _NO_EVENTS), missing(_LATENCY, _NO_EVENTS)] for group in groups
        }
    prices = _prices(database, by if by in _OF_PURCHASES else None)
    latencies = _latencies(database, by)
    everywhere = prices.get(ALL)
    return {
        group: [
            prices.get(group, everywhere) or missing(_PRICE, "no orders"),
            latencies.get(group) or missing(_LATENCY, "no repeat purchases"),
        ]
        for group in groups
    }


def _prices(database: Database, by: str | None) -> dict[str, Kpi]:
    rows = database.rows(
        f"""
        SELECT grp, min(low) AS low, max(high) AS high, count(*) FILTER (m > 0) AS clusters,
            sum(x)::DOUBLE AS x, sum(m)::DOUBLE AS m, sum(x * x)::DOUBLE AS xx,
            sum(x * m)::DOUBLE AS xm, sum(m * m)::DOUBLE AS mm
        FROM (
            SELECT grp, customer, coalesce(sum(value), 0) AS x, count(value)::DOUBLE AS m,
                min(currency) AS low, max(currency) AS high
            FROM {grouped("orders", by, "occurred_ms")}
            WHERE occurred_ms BETWEEN (SELECT from_ms FROM period) AND (SELECT to_ms FROM period)
            GROUP BY grp, customer
        ) GROUP BY grp
        """
    )
    return {row["grp"]: _price(row) for row in rows}


def _price(row: dict[str, Any]) -> Kpi:
    sums = ClusterSums(**{name: row[name] for name in ("clusters", "x", "m", "xx", "xm", "mm")})
    if row["low"] != row["high"]:
        reason = "several currencies: choose one with --currency"
        return missing(msgspec.structs.replace(_PRICE, sample=round(sums.m)), reason)
    return mean(_PRICE.name, _PRICE.label, sums, _PRICE.of_what, _PRICE.unit, row["low"] or None)


def _latencies(database: Database, by: str | None) -> dict[str, Kpi]:
    """Medians with Woodruff's interval, the effective number from the spread between customers."""
    database.run(
        f"CREATE OR REPLACE TEMP TABLE gaps AS SELECT grp, customer, gap_days"
        f" FROM {_repeats(by)} WHERE gap_days IS NOT NULL"
    )
    rows = database.rows(
        """
        SELECT grp, median, count(*) AS clusters, sum(x)::DOUBLE AS x, sum(m)::DOUBLE AS m,
            sum(x * x)::DOUBLE AS xx, sum(x * m)::DOUBLE AS xm, sum(m * m)::DOUBLE AS mm
        FROM (
            SELECT grp, any_value(median) AS median, customer, count(*)::DOUBLE AS m,
                count(*) FILTER (gap_days <= median)::DOUBLE AS x
            FROM gaps JOIN (SELECT grp, median(gap_days) AS median FROM gaps GROUP BY grp)
                USING (grp)
            GROUP BY grp, customer
        ) GROUP BY grp, median
        """
    )
    return {row["grp"]: _latency(database, row) for row in rows}


def _repeats(by: str | None) -> str:
    """SQL: purchases with the group that they are counted in."""
    if by in _OF_PURCHASES:
        return grouped("orders", by, "occurred_ms")
    credited = grouped("facts", by)
    return f"""(
        SELECT grp, customer, gap_days
        FROM {credited} JOIN (SELECT request, event FROM purchases WHERE is_direct) USING (request)
        JOIN orders USING (customer, event)
        WHERE NOT is_ghost
    )"""


def _latency(database: Database, row: dict[str, Any]) -> Kpi:
    sums = ClusterSums(**{name: row[name] for name in ("clusters", "x", "m", "xx", "xm", "mm")})
    kpi = msgspec.structs.replace(_LATENCY, value=row["median"], sample=round(sums.m))
    effect = sums.design_effect
    shares = median_shares(sums.m / effect)
    if shares is None:
        return msgspec.structs.replace(kpi, reason="no interval: too few")
    low, high = database.value(
        "SELECT quantile_disc(gap_days, $shares) FROM gaps WHERE grp = $grp",
        {"shares": [shares.low, shares.high], "grp": row["grp"]},
    )
    method = "Woodruff" if effect <= 1 else f"Woodruff, design effect {effect:.2f}"
    return msgspec.structs.replace(kpi, low=low, high=high, method=method)
