"""What a winner is worth a month, from the customers that came in and the lift that was found."""

from typing import Final

import msgspec

from app.analysis.data.database import Database
from app.analysis.experiments.design import Design
from app.analysis.experiments.finding import Finding
from app.analysis.statistics.intervals import Interval
from app.core.time.instants import DAY_MS

_DAYS_A_MONTH: Final = 365.25 / 12


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """If all ``customers`` who come to the trigger in a month (of the experiment's pace) got the
    winner in place of the first variant: so many ``more`` of them have the metric, with the lift's
    95 % interval. ``money`` is that at the mean ``value`` of a purchase that was one, in
    ``currency``; None for a metric that is no purchase.
    """

    customers: float
    more: float
    interval: Interval
    value: float | None = None
    money: float | None = None
    money_interval: Interval | None = None
    currency: str | None = None


def worth_of(database: Database, design: Design, finding: Finding) -> Worth | None:
    """None without a winner that beat the first variant, or when it took no time."""
    winner = next((each for each in finding.variants if each.name == finding.winner), None)
    if winner is None or winner.lift is None or winner.lift_interval is None:
        return None
    assert finding.stop_ms is not None
    days = (finding.stop_ms - design.from_ms) / DAY_MS
    if days <= 0:
        return None
    customers = sum(each.sample for each in finding.variants) / days * _DAYS_A_MONTH
    low, high = customers * winner.lift_interval.low, customers * winner.lift_interval.high
    worth = Worth(customers=customers, more=customers * winner.lift, interval=Interval(low, high))
    price = _price(database, design)
    if price is None:
        return worth
    value, currency = price
    return msgspec.structs.replace(
        worth,
        value=value,
        money=worth.more * value,
        money_interval=Interval(low * value, high * value),
        currency=currency,
    )


def _price(database: Database, design: Design) -> tuple[float, str | None] | None:
    """The mean value of the experiment's purchases, when all are in one currency."""
    rows = database.rows(
        """
        SELECT avg(value) AS value, min(currency) AS low, max(currency) AS high
        FROM outcomes JOIN messages USING (request)
        WHERE experiment = $name AND outcomes.kind = $metric AND value IS NOT NULL
        """,
        {"name": design.name, "metric": design.metric},
    )
    row = rows[0]
    if row["value"] is None or row["low"] != row["high"]:
        return None
    return float(row["value"]), row["low"]
