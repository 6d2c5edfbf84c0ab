"""Rows in portions: enough for an array, few enough for memory."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

ROWS_AT_ONCE: Final = 50_000

Row = TypeVar("Row")


def in_batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows in their order, ROWS_AT_ONCE at a time; no batch is empty."""
    remaining = iter(rows)
    while batch := list(islice(remaining, ROWS_AT_ONCE)):
        yield batch
