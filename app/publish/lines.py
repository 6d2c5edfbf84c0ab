"""The record that a line of an event file describes (its forms: ``app.formats.event_lines``).

The value of a line in record form goes out as it is: whether it is an event is for the engine to
say. A line in event form is checked as the engine would; its record timestamp is ``arrived_at``,
or else its ``occurred_at``.
"""

from collections.abc import Collection
from typing import Any, Final, Literal

import msgspec
import orjson

from app.core.errors import EventError
from app.core.events import INPUT_TOPICS, parse_envelope, parse_instant
from app.formats.event_lines import (
    arrived_ms_of,
    envelope_of,
    is_record,
    parse_line,
    record_parts,
)

#: What stamps a line in record form that gives no time of its own: the clock of the publishing
#: machine, or the value's occurred_at (for `worker --clock records`).
Timestamps = Literal["now", "occurred_at"]

RECORD_FIELDS: Final = frozenset({"topic", "key", "value", "headers", "timestamp", "arrived_at"})


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One record to publish. ``timestamp_ms`` None: the time at which it is published."""

    #: the logical name
    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int | None = None


def outgoing(
    line: bytes, timestamps: Timestamps = "now", topics: Collection[str] = INPUT_TOPICS
) -> Outgoing:
    """The record that the line describes, for one of ``topics``.

    Raises EventError saying what was expected and found, values left out.
    """
    obj = parse_line(line, topics)
    if not is_record(obj):
        return _event(obj)
    unknown = sorted(obj.keys() - RECORD_FIELDS)
    if unknown:
        raise EventError(
            "envelope",
            f"expected only {', '.join(sorted(RECORD_FIELDS))}, got {unknown[0][:40]!r} too",
        )
    parts = record_parts(obj)
    return Outgoing(
        topic=obj["topic"],
        key=parts.key,
        value=None if parts.value is None else orjson.dumps(parts.value),
        headers=parts.headers,
        timestamp_ms=_timestamp_ms(obj, timestamps),
    )


def _timestamp_ms(obj: dict[str, Any], timestamps: Timestamps) -> int | None:
    for field in ("timestamp", "arrived_at"):
        if field in obj:
            return _stamp(obj[field], field)
    if timestamps == "now":
        return None
    occurred_at = (obj["value"] or {}).get("occurred_at")
    if occurred_at is None:
        raise EventError(
            "envelope", "timestamp: expected one, as the value has no occurred_at, got nothing"
        )
    return _stamp(occurred_at, "occurred_at")


def _event(obj: dict[str, Any]) -> Outgoing:
    event = parse_envelope(obj, topic=obj["topic"])
    arrived_ms = arrived_ms_of(obj)
    if arrived_ms is None:
        timestamp_ms = _stamp(event.occurred_ms, "occurred_at")
    else:
        timestamp_ms = _stamp(arrived_ms, "arrived_at")
    return Outgoing(
        topic=event.topic,
        key=event.customer_id.encode(),
        value=orjson.dumps(envelope_of(obj)),
        timestamp_ms=timestamp_ms,
    )


def _stamp(value: object, field: str) -> int:
    """A record timestamp. Kafka has none before 1970, and librdkafka takes 0 for "now"."""
    instant_ms = parse_instant(value, field)
    if instant_ms <= 0:
        raise EventError(
            "envelope",
            f"{field}: expected a time after 1970-01-01T00:00:00Z, got an earlier one",
        )
    return instant_ms
