"""The header of a line: the customer and the times that the reading process needs.

Nearly every line is plain enough to be decoded for that alone. Of one that is not, all is read: a
line that is wrong in any way has no time.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.backtest.history import read_arrival, review_arrival
from app.backtest.history_review import HistoryReview
from app.core.errors import EventError
from app.core.events import (
    MAX_CUSTOMER_ID_CHARS,
    MAX_EVENT_ID_CHARS,
    MAX_VALUE_BYTES,
    Event,
    parse_instant,
)


class LineHeader(msgspec.Struct, gc=False):
    """One line. ``arrived_ms`` as an ``Arrival`` has it; ``occurred_ms`` None for what is no
    event, ``customer_id`` empty for what belongs to no customer.
    """

    number: int
    arrived_ms: int | None
    occurred_ms: int | None
    customer_id: str
    line: bytes


class _Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An event that ``read_arrival`` understands, whatever else is in a field: no nesting, nothing
    that one JSON reader takes and another does not.
    """

    topic: str
    event_id: Annotated[str, Meta(min_length=1, max_length=MAX_EVENT_ID_CHARS)]
    type: Annotated[str, Meta(min_length=1)]
    customer_id: Annotated[str, Meta(min_length=1, max_length=MAX_CUSTOMER_ID_CHARS)]
    occurred_at: int | str
    data: dict[str, str | int | float | bool | None]
    arrived_at: int | str | UnsetType = UNSET


_decode: Final = msgspec.json.Decoder(_Plain).decode


def read_headers(
    lines: Iterable[bytes], review: HistoryReview | None = None
) -> Iterator[LineHeader]:
    """A header for each line that is not blank, shown to ``review``. Lines count from 1."""
    for number, line in enumerate(lines, start=1):
        if line and not line.isspace():
            yield _plain_header(line, number, review) or _whole_header(line, number, review)


def _plain_header(line: bytes, number: int, review: HistoryReview | None) -> LineHeader | None:
    if len(line) > MAX_VALUE_BYTES or b"\\" in line:
        return None
    try:
        plain = _decode(line)
        occurred_ms = parse_instant(plain.occurred_at, "occurred_at")
        arrived_ms = occurred_ms
        if plain.arrived_at is not UNSET:
            arrived_ms = parse_instant(plain.arrived_at, "arrived_at")
    except (msgspec.MsgspecError, UnicodeDecodeError, EventError):
        return None
    if review is not None:
        review.take(number, arrived_ms, occurred_ms, plain)
    return LineHeader(number, arrived_ms, occurred_ms, plain.customer_id, line)


def _whole_header(line: bytes, number: int, review: HistoryReview | None) -> LineHeader:
    arrival = read_arrival(line, number)
    if review is not None:
        review_arrival(review, arrival)
    content = arrival.content
    if isinstance(content, Event):
        return LineHeader(
            number, arrival.arrived_ms, content.occurred_ms, content.customer_id, line
        )
    erased = content if isinstance(content, str) else ""
    return LineHeader(number, arrival.arrived_ms, None, erased, line)
