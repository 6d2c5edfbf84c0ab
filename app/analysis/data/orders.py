"""Every purchase of a history as the table ``orders``, whether or not a message led to it.

Columns: customer, event, occurred_ms, value, currency, gap_days (since the customer's purchase
before it, NULL for the first), place (1 for the first).

``goods``, what they say of categories: customer, category, occurred_ms, value (price times quantity
of an item, else the purchase's value for its one category).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.analysis.data.batches import in_batches
from app.analysis.data.database import Database
from app.backtest.history import read_arrivals
from app.core.events import PURCHASES, Event
from app.core.numbers import number
from app.core.time.instants import DAY_MS
from app.formats.json_lines import open_lines

_Row = tuple[str, str, int, float, str]
_Good = tuple[str, str, str, int, float]


def load_orders(database: Database, paths: Sequence[Path], *, currency: str | None = None) -> None:
    """Make the table from files of events as a backtest reads them.

    With a ``currency`` the value of purchases in another one is taken as missing.
    An event that a customer repeats by its id counts once, and one that cannot be understood not at
    all, as in a backtest. Raises ConfigError when a file cannot be read.
    """
    database.run(
        """
        CREATE TEMP TABLE arrived
            (customer VARCHAR, event VARCHAR, occurred_ms BIGINT, value DOUBLE, currency VARCHAR)
        """
    )
    database.run(
        """
        CREATE TEMP TABLE arrived_goods
            (customer VARCHAR, event VARCHAR, category VARCHAR, occurred_ms BIGINT, value DOUBLE)
        """
    )
    for path in paths:
        for events in in_batches(_purchases(path)):
            _insert_goods(database, [good for event in events for good in _goods(event, currency)])
            rows = [_row(event, event.data) for event in events]
            customers, event_ids, instants, values, currencies = zip(*rows, strict=True)
            database.insert(
                "arrived",
                {
                    "customer": np.array(customers, dtype=object),
                    "event": np.array(event_ids, dtype=object),
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
    database.run(
        """
        CREATE TEMP TABLE goods AS
        SELECT customer, category, any_value(occurred_ms) AS occurred_ms, sum(value) AS value
        FROM (SELECT DISTINCT * FROM arrived_goods) GROUP BY customer, event, category
        """
    )
    database.run("DROP TABLE arrived_goods")


def _insert_goods(database: Database, goods: list[_Good]) -> None:
    if not goods:
        return
    names = ("customer", "event", "category", "occurred_ms", "value")
    types: tuple[Any, ...] = (object, object, object, np.int64, np.float64)
    columns = zip(*goods, strict=True)
    database.insert(
        "arrived_goods",
        {
            name: np.array(column, dtype=type_)
            for name, type_, column in zip(names, types, columns, strict=True)
        },
    )


def _goods(event: Event, currency: str | None) -> Iterator[_Good]:
    """One a category: from the items that say theirs, else from the purchase's own category."""
    data = event.data
    if currency is not None and data.get("currency") not in (None, currency):
        return
    found: dict[str, float] = {}
    items = data.get("items")
    for item in items if isinstance(items, list) else ():
        category = item.get("category") if isinstance(item, dict) else None
        if isinstance(category, str):
            price, quantity = number(item.get("price")), number(item.get("quantity"))
            worth = float(price or 0) * float(1 if quantity is None else quantity)
            found[category] = found.get(category, 0.0) + worth
    if not found and isinstance(data.get("category"), str):
        found[data["category"]] = float(number(data.get("value")) or 0)
    for category, value in found.items():
        yield event.customer_id, event.event_id, category, event.occurred_ms, value


def _purchases(path: Path) -> Iterator[Event]:
    with open_lines(path) as lines:
        for arrival in read_arrivals(lines):
            event = arrival.content
            if isinstance(event, Event) and event.is_known and event.type in PURCHASES:
                yield event


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
