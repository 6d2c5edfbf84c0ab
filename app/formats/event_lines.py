"""A line of an event file, in either of two forms, as ``publish`` and ``backtest`` read it.

Event form: an event's envelope and ``topic``. Record form: ``{"topic", "key", "value"[,
"headers"][, "timestamp"]}``, where the value is the plain envelope, a CloudEvent, the data of one
(binary mode) or null, as the headers say. In both ``arrived_at`` may say when the record arrived.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import orjson

from app.core.errors import EventError
from app.core.events import INPUT_TOPICS, MAX_VALUE_BYTES, Event, parse_envelope, parse_instant
from app.formats.decode import Erasure, Headers, decode_erasure, decode_value
from app.formats.json_lines import MAX_LINE_BYTES

#: What of a line in event form is not part of the envelope.
LINE_FIELDS: Final = frozenset({"topic", "arrived_at"})
_SHOWN_CHARS: Final = 40


def parse_line(line: bytes, topics: Collection[str] | None = INPUT_TOPICS) -> dict[str, Any]:
    """The line's JSON object, its topic one of ``topics`` (None: any text). Raises EventError."""
    is_long = len(line) > MAX_VALUE_BYTES
    if is_long and len(line) > MAX_LINE_BYTES:
        raise EventError(
            "too_large", f"expected a line of at most {MAX_LINE_BYTES} bytes, got a longer one"
        )
    try:
        obj = orjson.loads(line)
    except orjson.JSONDecodeError as exc:
        if is_long:
            raise _too_large(len(line)) from None
        raise EventError("not_json", f"expected JSON, got {exc}") from None
    if type(obj) is not dict:
        raise EventError("not_object", "expected a JSON object, got another value")
    topic = obj.get("topic")
    if topics is not None:
        require_topic(topic, topics)
    elif type(topic) is not str:
        raise EventError("topic", f"topic: expected the name of a topic, got {_shown(topic)}")
    if is_long:
        _check_size(obj)
    return obj


def require_topic(topic: object, topics: Collection[str]) -> None:
    """Raise EventError unless the topic is one of these."""
    if type(topic) is not str or topic not in topics:
        expected = ", ".join(topics)
        raise EventError("topic", f"topic: expected one of {expected}, got {_shown(topic)}")


def _check_size(obj: dict[str, Any]) -> None:
    value = obj["value"] if is_record(obj) else envelope_of(obj)
    size = len(orjson.dumps(value))
    if size > MAX_VALUE_BYTES:
        raise _too_large(size)


def _too_large(size: int) -> EventError:
    return EventError(
        "too_large", f"expected a value of at most {MAX_VALUE_BYTES} bytes, got {size}"
    )


def is_record(obj: dict[str, Any]) -> bool:
    """Whether a parsed line is in record form."""
    return "value" in obj and "event_id" not in obj


def envelope_of(obj: dict[str, Any]) -> dict[str, Any]:
    """The value that a line in event form puts onto its topic."""
    return {name: obj[name] for name in obj if name not in LINE_FIELDS}


def arrived_ms_of(obj: dict[str, Any]) -> int | None:
    """When the record arrived (epoch ms); None where the line does not say. Raises EventError."""
    return parse_instant(obj["arrived_at"], "arrived_at") if "arrived_at" in obj else None


@dataclass(slots=True, init=False)
class RecordParts:
    """Key, value and headers of a line in record form."""

    key: bytes | None
    value: dict[str, Any] | None
    headers: tuple[tuple[str, bytes], ...]

    def __init__(
        self,
        key: bytes | None,
        value: dict[str, Any] | None,
        headers: tuple[tuple[str, bytes], ...],
    ) -> None:
        self.key = key
        self.value = value
        self.headers = headers


def record_parts(obj: dict[str, Any]) -> RecordParts:
    """What a line in record form puts onto its topic. Raises EventError."""
    key, value, headers = obj.get("key"), obj["value"], obj.get("headers") or {}
    if key is not None and not isinstance(key, str):
        raise EventError("key", "key: expected text or null, got another value")
    if value is not None and not isinstance(value, dict):
        raise EventError("not_object", "value: expected an object or null, got another value")
    if not isinstance(headers, dict) or not all(isinstance(h, str) for h in headers.values()):
        raise EventError("envelope", "headers: expected an object of texts, got another value")
    return RecordParts(
        None if key is None else key.encode(),
        value,
        tuple((name, text.encode()) for name, text in headers.items()),
    )


def event_in(obj: dict[str, Any], offset: int | None = None) -> Event | Erasure:
    """What a parsed line says, understood as the worker understands the record that ``publish``
    makes of it. Raises EventError.
    """
    topic = obj["topic"]
    if "value" not in obj or not is_record(obj):
        return parse_envelope(obj, topic=topic, offset=offset)
    parts = record_parts(obj)
    if parts.value is None:
        return decode_erasure(topic, None, offset, parts.key)
    headers: Headers = parts.headers
    return decode_value(topic, None, offset, parts.key, parts.value, headers)


def _shown(value: object) -> str:
    """A name, which is not personal, cut to a bearable length."""
    if isinstance(value, str):
        return repr(value[:_SHOWN_CHARS])
    return "nothing" if value is None else "no text"
