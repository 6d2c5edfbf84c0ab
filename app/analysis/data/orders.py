"""Every purchase of a history as the table ``orders``, whether or not a message led to it.

Columns: customer, event, occurred_ms, value, currency, gap_days (since the customer's purchase
before it, NULL for the first), place (1 for the first).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.analysis.data.batches import in_batches
from app.analysis.data.database import Database
from app.backtest.history import read_arrivals
from app.core.customer.facts import number
from app.core.events import PURCHASES, Event
from app.core.time.instants import DAY_MS
from app.formats.json_lines import open_lines

_Row = tuple[str, str, int, float, str]


def load_orders(database: Database, paths: Sequence[Path], *, currency: str | None = None) -> None:
    """Make the table from files of events as a backtest reads them.

    With a ``currency`` the value of purchases in another one is taken as not said.
    An event that a customer repeats by its id counts once, and one that cannot be understood not at
    all, as in a backtest. Raises ConfigError when a file cannot be read.
    """
    database.run(
        """
        CREATE TEMP TABLE arrived
            (customer VARCHAR, event VARCHAR, occurred_ms BIGINT, value DOUBLE, currency VARCHAR)
        """
    )
    for path in paths:
        for rows in in_batches(_purchases(path)):
            customers, events, instants, values, currencies = zip(*rows, strict=True)
            database.insert(
                "arrived",
                {
                    "customer": np.array(customers, dtype=object),
                    "event": np.array(events, dtype=object),
                    "occurred_ms": np.array(instants, dtype=np.int64),
                    "value": np.array(values, dtype=np.float64),
                    "currency": np.array(currencies, dtype=object),
                },
            )
    database.run(
        f"""
        CREATE TEMP TABLE orders AS
        SELECT *, (occurred_ms - lag(occurred_ms) OVER history) / {DAY_MS}.0 AS gap_days,
            row_number() OVER history AS place
        FROM (
            SELECT customer, event, any_value(occurred_ms) AS occurred_ms,
                any_value(value) FILTER (is_kept) AS value,
                any_value(currency) FILTER (is_kept) AS currency
            FROM (
                SELECT *, NOT isnan(value) AND coalesce(currency = $currency, true) AS is_kept
                FROM arrived
            )
            GROUP BY customer, event
        )
        WINDOW history AS (PARTITION BY customer ORDER BY occurred_ms, event)
        """,
        {"currency": currency},
    )
    database.run("DROP TABLE arrived")


def _purchases(path: Path) -> Iterator[_Row]:
    with open_lines(path) as lines:
        for arrival in read_arrivals(lines):
            event = arrival.content
            if isinstance(event, Event) and event.is_known and event.type in PURCHASES:
                yield _row(event, event.data)


def _row(event: Event, data: dict[str, Any]) -> _Row:
    value = number(data.get("value"))
    currency = data.get("currency")
    return (
        event.customer_id,
        event.event_id,
        event.occurred_ms,
        float("nan") if value is None else float(value),
        currency if isinstance(currency, str) else "",
    )
