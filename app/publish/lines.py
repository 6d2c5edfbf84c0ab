"""What a JSON line says is to be published, in either of two forms.

Record form: ``{"topic", "key", "value"[, "headers"][, "timestamp"]}``; the value is an object or
null, and goes out as it is: whether it is an event is for the engine to say.
Event form, as the backtest reads it: an event's envelope and ``topic``, checked as the engine
would; its record timestamp is ``arrived_at``, or else its ``occurred_at``.
In both ``arrived_at`` may say when the record arrived.
"""

from typing import Any, Final, Literal

import msgspec
import orjson

from app.core.errors import EventError
from app.core.events import INPUT_TOPICS, parse_envelope, parse_instant
from app.formats.json_lines import MAX_LINE_BYTES

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


def parse_line(line: bytes, timestamps: Timestamps = "now") -> Outgoing:
    """Raises ValueError saying what was expected and found, values left out."""
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"expected a line of at most {MAX_LINE_BYTES} bytes, got a longer one")
    try:
        obj = orjson.loads(line)
    except orjson.JSONDecodeError as exc:
        raise ValueError(f"expected JSON, got {exc}") from None
    if not isinstance(obj, dict):
        raise ValueError("expected a JSON object, got another value")
    topic = obj.get("topic")
    if topic not in INPUT_TOPICS:
        raise ValueError(f"topic: expected one of {', '.join(INPUT_TOPICS)}, got {_shown(topic)}")
    try:
        return _record(topic, obj, timestamps) if "value" in obj else _event(topic, obj)
    except EventError as exc:
        raise ValueError(str(exc)) from None


def _record(topic: str, obj: dict[str, Any], timestamps: Timestamps) -> Outgoing:
    unknown = sorted(obj.keys() - RECORD_FIELDS)
    if unknown:
        raise ValueError(
            f"expected only {', '.join(sorted(RECORD_FIELDS))}, got {_shown(unknown[0])} too"
        )
    key, value, headers = obj.get("key"), obj["value"], obj.get("headers") or {}
    if key is not None and not isinstance(key, str):
        raise ValueError("key: expected text or null, got another value")
    if value is not None and not isinstance(value, dict):
        raise ValueError("value: expected an object or null, got another value")
    if not isinstance(headers, dict) or not all(isinstance(h, str) for h in headers.values()):
        raise ValueError("headers: expected an object of texts, got another value")
    return Outgoing(
        topic=topic,
        key=None if key is None else key.encode(),
        value=None if value is None else orjson.dumps(value),
        headers=tuple((name, text.encode()) for name, text in headers.items()),
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
        raise ValueError("timestamp: expected one, as the value has no occurred_at, got nothing")
    return _stamp(occurred_at, "occurred_at")


def _event(topic: str, obj: dict[str, Any]) -> Outgoing:
    event = parse_envelope(obj, topic=topic)
    envelope = {name: obj[name] for name in obj if name not in ("topic", "arrived_at")}
    if "arrived_at" in obj:
        timestamp_ms = _stamp(obj["arrived_at"], "arrived_at")
    else:
        timestamp_ms = _stamp(event.occurred_ms, "occurred_at")
    return Outgoing(
        topic=topic,
        key=event.customer_id.encode(),
        value=orjson.dumps(envelope),
        timestamp_ms=timestamp_ms,
    )


def _stamp(value: object, field: str) -> int:
    """A record timestamp. Kafka has none before 1970, and librdkafka takes 0 for "now"."""
    instant_ms = parse_instant(value, field)
    if instant_ms <= 0:
        raise ValueError(f"{field}: expected a time after 1970-01-01T00:00:00Z, got an earlier one")
    return instant_ms


def _shown(value: object) -> str:
    """A name, which is not personal, cut to a bearable length."""
    return repr(value[:40]) if isinstance(value, str) else "nothing" if value is None else "no text"
