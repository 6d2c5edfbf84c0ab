"""Reading history: JSON lines, one event each, in arrival order."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Protocol, TypeVar

from app.backtest.history_review import HistoryReview
from app.core.errors import EventError
from app.core.events import Event
from app.formats.decode import Erasure
from app.formats.event_lines import arrived_ms_of, event_in, parse_line


@dataclass(slots=True, init=False)
class Arrival:
    """One line of history, and when it arrived (epoch ms; None: it does not say).

    ``content`` is an understood event, the id of a customer to erase, or what is wrong.
    """

    number: int
    arrived_ms: int | None
    content: Event | str | EventError

    def __init__(
        self,
        number: int,
        arrived_ms: int | None,
        content: Event | str | EventError,
    ) -> None:
        self.number = number
        self.arrived_ms = arrived_ms
        self.content = content


def read_arrivals(lines: Iterable[bytes], review: HistoryReview | None = None) -> Iterator[Arrival]:
    """An arrival for each line that is not blank, shown to ``review``. Lines count from 1."""
    for number, line in enumerate(lines, start=1):
        if line and not line.isspace():
            arrival = read_arrival(line, number)
            if review is not None:
                content = arrival.content
                if type(content) is Event:
                    review.take(number, arrival.arrived_ms, content.occurred_ms, content)
                else:
                    review.take(number, arrival.arrived_ms, None, None)
            yield arrival


def review_arrival(review: HistoryReview, arrival: Arrival) -> None:
    """Show one line to the review of its file."""
    event = arrival.content if isinstance(arrival.content, Event) else None
    occurred_ms = None if event is None else event.occurred_ms
    review.take(arrival.number, arrival.arrived_ms, occurred_ms, event)


def read_arrival(line: bytes, number: int) -> Arrival:
    """Understand one line (its forms: ``app.formats.event_lines``), of any topic."""
    arrived_ms: int | None = None
    try:
        obj = parse_line(line, None)
        if "arrived_at" in obj:
            arrived_ms = arrived_ms_of(obj)
        content = event_in(obj, number - 1)
        if isinstance(content, Erasure):
            return Arrival(number, arrived_ms, content.customer_id)
        if arrived_ms is None:
            arrived_ms = content.occurred_ms
        return Arrival(number, arrived_ms, content)
    except EventError as exc:
        return Arrival(number, arrived_ms, exc)


class _Arrived(Protocol):
    """Something that has a place in its file, and may say when it came."""

    number: int
    arrived_ms: int | None


Found = TypeVar("Found", bound=_Arrived)


def first_arrival_ms(arrivals: Iterator[Found]) -> tuple[int | None, Iterator[Found]]:
    """When the first of them arrived (epoch ms; None: none says), and all of them still to read."""
    head: list[Found] = []
    for arrival in arrivals:
        head.append(arrival)
        if arrival.arrived_ms is not None:
            return arrival.arrived_ms, chain(head, arrivals)
    return None, iter(head)


def arrived_before(arrivals: Iterator[Found], from_ms: int) -> Iterator[Found]:
    """Without those that arrived at ``from_ms`` or later."""
    for each in arrivals:
        if each.arrived_ms is None or each.arrived_ms < from_ms:
            yield each


def merge_arrivals(histories: list[Iterator[Found]]) -> Iterator[Found]:
    """Several files as one stream: each keeps its order, the earlier arrival comes first."""
    if len(histories) == 1:
        return histories[0]
    keyed = [_with_arrival_so_far(history, index) for index, history in enumerate(histories)]
    # no generator expression: compiled, it is a list, here of the whole history
    return map(itemgetter(3), heapq.merge(*keyed))


def _with_arrival_so_far(
    history: Iterator[Found], index: int
) -> Iterator[tuple[int, int, int, Found]]:
    so_far_ms = -(1 << 62)
    for arrival in history:
        if arrival.arrived_ms is not None:
            so_far_ms = max(so_far_ms, arrival.arrived_ms)
        yield so_far_ms, index, arrival.number, arrival
