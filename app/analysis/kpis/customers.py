"""KPIs of customers and their purchases, whether or not a message led to them.

As of the last purchase of the history. Lapsed: no purchase in the last LAPSED_DAYS, as the engine's
``lifecycle`` has it.
"""

from collections.abc import Iterable
from math import isfinite
from typing import Any, Final

import msgspec

from app.analysis.data.database import Database
from app.analysis.kpis.dimensions import grouped
from app.analysis.kpis.kpi import Kpi, in_range, mean, missing, share
from app.analysis.statistics.clusters import ClusterSums
from app.core.time.instants import DAY_MS

LAPSED_DAYS: Final = 180
#: The groups in which a customer can be counted.
_OF_CUSTOMERS: Final = (None, "segment", "cluster")
_KPIS: Final = {
    "repeat_purchase_rate": ("Customers with a second purchase", "share"),
    "lifetime_value": ("Customer lifetime value to date", "money"),
    "churn_rate": (f"Churn: no purchase in {LAPSED_DAYS} days", "share"),
    "cross_category_rate": ("Customers who buy in more than one category", "share"),
}


class CategoryRevenue(msgspec.Struct, frozen=True, kw_only=True):
    """What was bought in one category: ``per_customer`` is of the customers who bought there.

    ``revenue`` None: it is beyond the range of numbers.
    """

    category: str
    revenue: float | None
    per_customer: Kpi


def customer_kpis(
    database: Database, by: str | None, groups: Iterable[str], *, has_orders: bool
) -> dict[str, list[Kpi]]:
    """Repeat rate, lifetime value, churn and share of customers in several categories by group."""
    if not has_orders:
        reason = "needs the history of purchases: give --events"
    elif by not in _OF_CUSTOMERS:
        reason = f"is of customers, not of messages: cannot be split by {by}"
    else:
        found = _counted(database, by)
        return {group: found.get(group) or _without("no customers") for group in groups}
    return {group: _without(reason) for group in groups}


def _without(reason: str) -> list[Kpi]:
    return [
        missing(Kpi(name=name, label=label, unit=unit, of_what="customers"), reason)  # type: ignore[arg-type]
        for name, (label, unit) in _KPIS.items()
    ]


def _counted(database: Database, by: str | None) -> dict[str, list[Kpi]]:
    rows = database.rows(
        f"""
        SELECT grp, count(*) AS customers, count(*) FILTER (orders > 1) AS repeated,
            sum(value)::DOUBLE AS value, sum(value * value)::DOUBLE AS squares,
            count(*) FILTER (last_ms < end_ms - {LAPSED_DAYS * DAY_MS}) AS lapsed,
            min(low) AS low, max(high) AS high,
            count(*) FILTER (categories > 0) AS placed,
            count(*) FILTER (categories > 1) AS crossing
        FROM (
            SELECT grp, customer, count(*) AS orders, coalesce(sum(value), 0) AS value,
                min(currency) AS low, max(currency) AS high, max(occurred_ms) AS last_ms,
                (SELECT max(occurred_ms) FROM orders) AS end_ms, any_value(kinds) AS categories
            FROM {grouped("orders", by, "occurred_ms")} LEFT JOIN (
                SELECT customer, count(DISTINCT category) AS kinds FROM goods GROUP BY customer
            ) USING (customer)
            GROUP BY grp, customer
        ) GROUP BY grp
        """
    )
    return {row["grp"]: _kpis(row) for row in rows}


def _kpis(row: dict[str, Any]) -> list[Kpi]:
    customers = row["customers"]
    value = ClusterSums(
        clusters=customers,
        x=row["value"],
        m=customers,
        xx=row["squares"],
        xm=row["value"],
        mm=customers,
    )
    labels = {name: label for name, (label, _) in _KPIS.items()}
    worth = mean(
        "lifetime_value",
        labels["lifetime_value"],
        value,
        "customers",
        "money",
        row["low"] or None,
    )
    if row["low"] != row["high"]:
        worth = missing(worth, "several currencies: choose one with --currency")
    crossing = share(
        "cross_category_rate",
        labels["cross_category_rate"],
        _each(row["crossing"], row["placed"]),
        "customers whose purchases say a category",
    )
    return [
        share(
            "repeat_purchase_rate",
            labels["repeat_purchase_rate"],
            _each(row["repeated"], customers),
            "customers",
        ),
        worth,
        share("churn_rate", labels["churn_rate"], _each(row["lapsed"], customers), "customers"),
        crossing,
    ]


def _each(count: int, customers: int) -> ClusterSums:
    """Of customers who count once each."""
    return ClusterSums(clusters=customers, x=count, m=customers, xx=count, xm=count, mm=customers)


def revenue_by_category(database: Database) -> list[CategoryRevenue]:
    """The largest first, in the period of the report; needs ``goods``."""
    rows = database.rows(
        """
        SELECT category, count(*) AS customers, sum(value)::DOUBLE AS value,
            sum(value * value)::DOUBLE AS squares
        FROM (
            SELECT category, customer, sum(value) AS value FROM goods
            WHERE occurred_ms BETWEEN (SELECT from_ms FROM period) AND (SELECT to_ms FROM period)
            GROUP BY category, customer
        ) GROUP BY category ORDER BY value DESC, category
        """
    )
    return [
        CategoryRevenue(
            category=row["category"],
            revenue=row["value"] if isfinite(row["value"]) else None,
            per_customer=in_range(
                mean(
                    "revenue_by_category",
                    f"Revenue per customer in {row['category']}",
                    ClusterSums(
                        clusters=row["customers"],
                        x=row["value"],
                        m=row["customers"],
                        xx=row["squares"],
                        xm=row["value"],
                        mm=row["customers"],
                    ),
                    "customers",
                    "money",
                )
            ),
        )
        for row in rows
    ]
