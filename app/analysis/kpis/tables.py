"""What the page shows in addition to the KPIs: funnels, cohorts, and messages against opt-outs."""

from typing import Any, Final

import msgspec

from app.analysis.data.database import Database
from app.analysis.statistics.intervals import Interval, wilson
from app.core.time.instants import DAY_MS

#: Days after the first purchase for which cohorts are looked at.
COHORT_DAYS: Final = (30, 60, 90, 180, 365)
#: Lower ends of the bars of messages per customer.
_MESSAGES: Final = (1, 2, 3, 4, 6, 11, 21)


class Funnel(msgspec.Struct, frozen=True, kw_only=True):
    """The instances of an abandonment trigger, from decided at all to recovered.

    ``abandoned`` had a step decided, whatever the verdict; ``reminded`` were sent one; of these
    ``opened``, ``clicked``, ``recovered``. ``held_out`` had ghost sends; of these
    ``recovered_alone``.
    """

    trigger: str
    abandoned: int
    reminded: int
    opened: int
    clicked: int
    recovered: int
    held_out: int
    recovered_alone: int


class Cohort(msgspec.Struct, frozen=True, kw_only=True):
    """Customers by the UTC month of their first purchase.

    ``repeated`` has for each of COHORT_DAYS the share with a second purchase by then, of those
    whose first is that long ago (None: of none is it). ``median_days`` is from first to second,
    of those who came back.
    """

    month: str
    customers: int
    came_back: int
    median_days: float | None
    repeated: list[float | None]


class Pressure(msgspec.Struct, frozen=True, kw_only=True):
    """The first, second, ... messages of customers, and how many of them were followed by opt-outs.

    Not the opt-outs of customers by how many messages they had in all: who opts out gets no more.
    ``customers`` were sent that many.
    """

    nth: str
    customers: int
    messages: int
    opted_out: int
    interval: Interval


def funnels(database: Database) -> list[Funnel]:
    """One for each abandonment trigger, by name."""
    rows = database.rows(
        """
        SELECT trigger, count(*) AS abandoned, coalesce(sum(sent), 0)::BIGINT AS reminded,
            coalesce(sum(sent * opened), 0)::BIGINT AS opened,
            coalesce(sum(sent * clicked), 0)::BIGINT AS clicked,
            coalesce(sum(sent * recovered), 0)::BIGINT AS recovered,
            coalesce(sum(ghost), 0)::BIGINT AS held_out,
            coalesce(sum(ghost * recovered), 0)::BIGINT AS recovered_alone
        FROM (
            SELECT trigger, customer, key, anchor_ms, any_value(1) AS seen FROM steps
            WHERE trigger IN (SELECT trigger FROM abandonments)
            GROUP BY trigger, customer, key, anchor_ms
        ) LEFT JOIN (
            SELECT trigger, customer, key, anchor_ms, max((NOT is_ghost)::INT) AS sent,
                max(is_ghost::INT) AS ghost, max(coalesce(is_opened, false)::INT) AS opened,
                max(coalesce(is_clicked, false)::INT) AS clicked,
                max((coalesce(recoveries, 0) > 0)::INT) AS recovered
            FROM facts WHERE is_abandonment GROUP BY trigger, customer, key, anchor_ms
        ) USING (trigger, customer, key, anchor_ms)
        GROUP BY trigger ORDER BY trigger
        """
    )
    return [Funnel(**row) for row in rows]


def cohorts(database: Database) -> list[Cohort]:
    """By month, the first first. Needs ``orders``."""
    within = ", ".join(
        f"avg(coalesce(days <= {days}, false)::INT) FILTER (seen_days >= {days}) AS within_{days}"
        for days in COHORT_DAYS
    )
    rows = database.rows(
        f"""
        SELECT strftime(make_timestamp(first_ms * 1000), '%Y-%m') AS month,
            count(*) AS customers, count(days) AS came_back, median(days) AS median_days, {within}
        FROM (
            SELECT customer, min(occurred_ms) AS first_ms,
                min(gap_days) FILTER (place = 2) AS days,
                ((SELECT max(occurred_ms) FROM orders) - min(occurred_ms)) / {DAY_MS}.0 AS seen_days
            FROM orders GROUP BY customer
        ) GROUP BY month ORDER BY month
        """
    )
    return [_cohort(row) for row in rows]


def _cohort(row: dict[str, Any]) -> Cohort:
    return Cohort(
        month=row["month"],
        customers=row["customers"],
        came_back=row["came_back"],
        median_days=row["median_days"],
        repeated=[row[f"within_{days}"] for days in COHORT_DAYS],
    )


def pressure(database: Database) -> list[Pressure]:
    """Opt-outs (unsubscribed or complained) by which of a customer's messages it was."""
    bins = " ".join(f"WHEN nth >= {low} THEN {low}" for low in reversed(_MESSAGES))
    rows = database.rows(
        f"""
        SELECT low, count(*) AS messages, count(*) FILTER (nth = low) AS customers,
            count(*) FILTER (is_unsubscribed OR is_complained) AS opted_out
        FROM (
            SELECT *, CASE {bins} END AS low FROM (
                SELECT is_unsubscribed, is_complained,
                    row_number() OVER (PARTITION BY customer ORDER BY decided_ms, request) AS nth
                FROM facts WHERE NOT is_ghost
            )
        ) GROUP BY low ORDER BY low
        """
    )
    return [
        Pressure(
            nth=_bin_name(row["low"]),
            customers=row["customers"],
            messages=row["messages"],
            opted_out=row["opted_out"],
            interval=wilson(row["opted_out"], row["messages"]),
        )
        for row in rows
    ]


def _bin_name(low: int) -> str:
    place = _MESSAGES.index(low)
    if place + 1 == len(_MESSAGES):
        return f"over {low - 1}"
    high = _MESSAGES[place + 1] - 1
    return str(low) if high == low else f"{low}-{high}"
