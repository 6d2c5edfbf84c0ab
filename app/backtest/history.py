"""Reading history: JSON lines, one event each, in arrival order."""

import heapq
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol, TypeVar

import msgspec
import orjson

from app.core.errors import EventError
from app.core.events import (
    INPUT_TOPICS,
    MAX_VALUE_BYTES,
    PROFILES,
    Event,
    parse_envelope,
    parse_instant,
)

#: A line holds more than the value: its topic, its arrival, in publish form its key.
_LINE_OVERHEAD_BYTES: Final = 1024


class Arrival(msgspec.Struct, gc=False):
    """One line of history, and when it arrived (epoch ms; None: it does not say).

    ``content`` is an understood event, the id of a customer to erase, or what is wrong.
    """

    number: int
    arrived_ms: int | None
    content: Event | str | EventError


def read_arrivals(lines: Iterable[bytes]) -> Iterator[Arrival]:
    """An arrival for each line that is not blank. Lines count from 1."""
    for number, line in enumerate(lines, start=1):
        if line and not line.isspace():
            yield read_arrival(line, number)


def read_arrival(line: bytes, number: int) -> Arrival:
    """Understand one line: the event envelope plus ``topic``, or ``topic``, ``key`` and ``value``
    as ``triggers publish`` takes it; both with an optional ``arrived_at``.
    """
    arrived_ms: int | None = None
    try:
        obj = _parse_line(line)
        if "arrived_at" in obj:
            arrived_ms = parse_instant(obj["arrived_at"], "arrived_at")
        content = _content(obj, number)
        if arrived_ms is None and isinstance(content, Event):
            arrived_ms = content.occurred_ms
        return Arrival(number, arrived_ms, content)
    except EventError as exc:
        return Arrival(number, arrived_ms, exc)


def _parse_line(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_VALUE_BYTES + _LINE_OVERHEAD_BYTES:
        raise EventError("too_large", f"expected a value of at most {MAX_VALUE_BYTES} bytes")
    try:
        obj = orjson.loads(line)
    except orjson.JSONDecodeError as exc:
        raise EventError("not_json", f"expected JSON: {exc}") from None
    if type(obj) is not dict:
        raise EventError("not_object", "expected a JSON object")
    return obj


def _content(obj: dict[str, Any], number: int) -> Event | str:
    topic = obj.get("topic")
    if topic not in INPUT_TOPICS:
        raise EventError("topic", f"topic: expected one of {', '.join(INPUT_TOPICS)}")
    key = obj.get("key")
    if "value" not in obj or "event_id" in obj:
        return parse_envelope(obj, topic=topic, offset=number - 1)
    if key is not None and not isinstance(key, str):
        raise EventError("key", "key: expected text")
    value = obj["value"]
    if value is None and topic == PROFILES:
        if not key:
            raise EventError("key", "key: expected the id of the customer to erase")
        return key
    return parse_envelope(value, topic=topic, key=key, offset=number - 1)


class _Arrived(Protocol):
    """Something that has a place in its file, and may say when it came."""

    number: int
    arrived_ms: int | None


Found = TypeVar("Found", bound=_Arrived)


def merge_arrivals(histories: list[Iterator[Found]]) -> Iterator[Found]:
    """Several files as one stream: each keeps its order, the earlier arrival comes first."""
    if len(histories) == 1:
        return histories[0]
    keyed = (_with_arrival_so_far(history, index) for index, history in enumerate(histories))
    return (arrival for _, _, _, arrival in heapq.merge(*keyed))


def _with_arrival_so_far(
    history: Iterator[Found], index: int
) -> Iterator[tuple[int, int, int, Found]]:
    so_far_ms = -(1 << 62)
    for arrival in history:
        if arrival.arrived_ms is not None:
            so_far_ms = max(so_far_ms, arrival.arrived_ms)
        yield so_far_ms, index, arrival.number, arrival
