"""From ``facts`` to sums over customers, for each group and arm.

Counting what differs within a customer cannot spill to disk, so that customers are counted in
slices: what each needs at once stays small, and the sums add up.
"""

from typing import Any, Final, Self

import msgspec

from app.analysis.data.database import Database
from app.analysis.kpis.dimensions import grouped
from app.analysis.kpis.metrics import SETS, MetricSet
from app.analysis.statistics.clusters import ClusterSums

#: Messages of one slice, about.
_MESSAGES_AT_ONCE: Final = 250_000
#: ``facts.slice`` is under this.
_SLICES: Final = 256
NO_CUSTOMERS: Final = ClusterSums(clusters=0, x=0, m=0, xx=0, xm=0, mm=0)


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """The messages that were sent to a group, or held out from it.

    ``currencies`` are the first and the last by name of direct purchases ("" where none is given);
    ``without_value`` and ``without_margin`` of the ``directs`` do not say it.
    """

    messages: int = 0
    directs: int = 0
    without_value: int = 0
    without_margin: int = 0
    currencies: frozenset[str] = frozenset()
    #: channel -> messages
    channels: dict[str, int] = {}
    sums: dict[str, ClusterSums] = {}

    def of(self, metric: str) -> ClusterSums:
        """The sums of one metric."""
        return self.sums.get(metric, NO_CUSTOMERS)

    def joined(self, other: Self) -> Self:
        """Both together; no customer may be in both."""
        return type(self)(
            messages=self.messages + other.messages,
            directs=self.directs + other.directs,
            without_value=self.without_value + other.without_value,
            without_margin=self.without_margin + other.without_margin,
            currencies=self.currencies | other.currencies,
            channels={
                name: self.channels.get(name, 0) + other.channels.get(name, 0)
                for name in {**self.channels, **other.channels}
            },
            sums={
                name: self.of(name).joined(other.of(name)) for name in {**self.sums, **other.sums}
            },
        )


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """One group: what was sent and what was held out."""

    sent: Arm = Arm()
    ghost: Arm = Arm()


def count_groups(database: Database, by: str | None) -> dict[str, Counts]:
    """The sums of every group, in the order of their names.

    What a variant holds out is left out, except by variant: the groups of the holdout's arm would
    else be mixed otherwise than those of the sent one.
    """
    arms: dict[tuple[str, bool], Arm] = {}
    messages = database.value("SELECT count(*) FROM facts")
    width = max(1, _SLICES * _MESSAGES_AT_ONCE // max(messages, 1))
    for first in range(0, _SLICES, width):
        place = {"first": first, "last": first + width - 1}
        for row in database.rows(_totals_query(by), place):
            _join(arms, row, _totals_arm(row))
        for metrics in SETS:
            for row in database.rows(_sums_query(metrics, by), place):
                _join(arms, row, _sums_arm(row, metrics))
    return {
        group: Counts(sent=arms.get((group, False), Arm()), ghost=arms.get((group, True), Arm()))
        for group in sorted({group for group, _ in arms})
    }


def _join(arms: dict[tuple[str, bool], Arm], row: dict[str, Any], arm: Arm) -> None:
    place = row["grp"], row["is_ghost"]
    arms[place] = arms.get(place, Arm()).joined(arm)


def _rows(by: str | None, where: str) -> str:
    """The messages of one slice of the customers."""
    kept = "true" if by == "variant" else f"NOT is_ghost_variant AND {_compared(by)}"
    return f"{grouped('facts', by)} WHERE {where} AND {kept} AND slice BETWEEN $first AND $last"


def _compared(by: str | None) -> str:
    """Which ghost sends are held against the sends: those of the trigger's own holdout for a group
    within such a trigger, else those of the file's holdout.
    """
    of_file = "(is_global_ghost AND NOT is_own_ghost)"
    if by not in ("trigger", "step"):
        return f"(NOT is_ghost OR {of_file})"
    of_trigger = "(is_own_ghost AND NOT is_global_ghost)"
    return f"(NOT is_ghost OR CASE WHEN is_own_holdout THEN {of_trigger} ELSE {of_file} END)"


def _totals_query(by: str | None) -> str:
    return f"""
        SELECT grp, is_ghost, count(*) AS messages, sum(directs) AS directs,
            sum(without_value) AS without_value, sum(without_margin) AS without_margin,
            min(currency_from) AS currency_from, max(currency_to) AS currency_to,
            histogram(coalesce(channel, '-')) AS channels
        FROM {_rows(by, "true")} GROUP BY grp, is_ghost
        """


def _totals_arm(row: dict[str, Any]) -> Arm:
    return Arm(
        messages=row["messages"],
        directs=int(row["directs"] or 0),
        without_value=int(row["without_value"] or 0),
        without_margin=int(row["without_margin"] or 0),
        currencies=frozenset({row["currency_from"], row["currency_to"]} - {None}),
        channels={name: int(count) for name, count in row["channels"].items()},
    )


def _sums_query(metrics: MetricSet, by: str | None) -> str:
    per_customer = ", ".join(
        f"coalesce({metric.x}, 0)::DOUBLE AS x_{name}, coalesce({metric.m}, 0)::DOUBLE AS m_{name}"
        for name, metric in metrics.metrics.items()
    )
    sums = ", ".join(
        f"count(*) FILTER (m_{n} > 0) AS c_{n}, sum(x_{n}) AS x_{n}, sum(m_{n}) AS m_{n},"
        f" sum(x_{n} * x_{n}) AS xx_{n}, sum(x_{n} * m_{n}) AS xm_{n}, sum(m_{n} * m_{n}) AS mm_{n}"
        for n in metrics.metrics
    )
    return f"""
        SELECT grp, is_ghost, {sums}
        FROM (
            SELECT grp, is_ghost, customer, {per_customer}
            FROM {_rows(by, metrics.where)} GROUP BY grp, is_ghost, customer
        )
        GROUP BY grp, is_ghost
        """


def _sums_arm(row: dict[str, Any], metrics: MetricSet) -> Arm:
    return Arm(
        sums={
            name: ClusterSums(
                clusters=row[f"c_{name}"],
                **{part: row[f"{part}_{name}"] for part in ("x", "m", "xx", "xm", "mm")},
            )
            for name in metrics.metrics
        }
    )
