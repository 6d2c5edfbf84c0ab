"""How lines of history become one stream."""

from collections.abc import Iterator
from itertools import islice

from app.backtest.history import Arrival, arrived_before, merge_arrivals
from app.core.errors import EventError

FAR = 10**12


def endless(first_ms: int, read: list[int]) -> Iterator[Arrival]:
    """A file without end; ``read`` grows with it."""
    number = 0
    while True:
        read.append(number)
        yield Arrival(number, first_ms + 2 * number, EventError("envelope", "none"))
        number += 1


def test_files_are_read_as_far_as_is_asked_for() -> None:
    """A long history takes no memory, compiled neither: a generator expression is a list there."""
    read: list[int] = []
    files = [arrived_before(endless(first_ms, read), FAR) for first_ms in (0, 1)]
    merged = [arrival.arrived_ms for arrival in islice(merge_arrivals(files), 10)]

    assert merged == list(range(10))
    assert len(read) <= 12
