"""Kafka records to events: the one place where bytes from outside are understood.

Two spellings are read (spec section 3): the plain envelope, and CloudEvents 1.0 in structured and
in binary mode (Kafka protocol binding 1.0.2, sections 3.2 and 3.3); either as JSON, or as what a
schema registry knows how to read (``app.formats.schema_registry``). What cannot be understood is an
EventError with one of ``REASONS``. Error texts name fields and types, never values: they end in
logs and in dead letters.

A trace context comes in the header ``traceparent``, or as the CloudEvents extension of that name.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from app.core.errors import EventError
from app.core.events import MAX_CUSTOMER_ID_CHARS, MAX_VALUE_BYTES, PROFILES, Event, parse_envelope
from app.core.time.instants import MAX_MS
from app.formats.trace_context import HEADER as TRACE_HEADER
from app.formats.trace_context import traceparent

#: Every ``EventError.reason`` that ``decode_record`` raises.
REASONS: Final = frozenset(
    [
        "too_large",
        "not_json",
        "not_object",
        "envelope",
        "key",
        "null_value",
        "unknown_schema",
        "schema_value",
    ]
)

#: What a value begins with that names its schema by an id in a registry: no JSON text does.
SCHEMA_MAGIC: Final = b"\0"

_STRUCTURED: Final = "application/cloudevents"
_STRUCTURED_JSON: Final = "application/cloudevents+json"
_SPEC_VERSION: Final = "1.0"
#: envelope field -> CloudEvents attribute
CLOUD_EVENT_ATTRIBUTES: Final = {
    "event_id": "id",
    "type": "type",
    "customer_id": "subject",
    "occurred_at": "time",
    "data": "data",
}

#: Marks history (`triggers seed`): epoch milliseconds before which nothing is decided.
DECIDE_FROM_HEADER: Final = "trigger-decide-from"

Headers = Iterable[tuple[str, bytes | None]]
#: Reads a value that begins with SCHEMA_MAGIC as a JSON value. Raises EventError when it is wrong,
#: InfrastructureError when the registry does not answer.
ReadBySchema = Callable[[bytes], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """A null value on ``profiles``: everything known of this customer goes."""

    customer_id: str
    partition: int | None = None
    offset: int | None = None


def decode_record(
    topic: str,
    partition: int | None,
    offset: int | None,
    key: bytes | None,
    value: bytes | None,
    headers: Headers | None = None,
    read_by_schema: ReadBySchema | None = None,
) -> Event | Erasure:
    """What the record says. ``topic`` is the logical name. Raises EventError, and what
    ``read_by_schema`` raises; without that, a value that needs a schema is not JSON.
    """
    if value is None:
        return decode_erasure(topic, partition, offset, key)
    if len(value) > MAX_VALUE_BYTES:
        raise EventError(
            "too_large", f"expected a value of at most {MAX_VALUE_BYTES} bytes, got {len(value)}"
        )
    try:
        obj = orjson.loads(value)
    except orjson.JSONDecodeError as exc:
        if value[:1] != SCHEMA_MAGIC:
            raise EventError("not_json", f"expected JSON, got {exc}") from None
        if read_by_schema is None:
            raise EventError(
                "not_json", "expected JSON, got a value for a schema registry, and none is set"
            ) from None
        obj = read_by_schema(value)
    return decode_value(topic, partition, offset, key, obj, headers)


def decode_value(
    topic: str,
    partition: int | None,
    offset: int | None,
    key: bytes | None,
    obj: object,
    headers: Headers | None = None,
) -> Event:
    """What a record says whose value is the JSON value ``obj``, not null. Raises EventError."""
    customer_key = None if key is None else _key_text(key)
    if not headers:
        return parse_envelope(
            obj, topic=topic, key=customer_key, partition=partition, offset=offset
        )
    attributes = _texts(headers)
    if is_structured(attributes):
        envelope = _structured(_content_type(attributes), obj)
        event = _cloud_event(envelope, topic, partition, offset, customer_key)
    elif is_binary(attributes):
        envelope = _binary(attributes, obj)
        event = _cloud_event(envelope, topic, partition, offset, customer_key)
    else:
        envelope = attributes
        event = parse_envelope(
            obj, topic=topic, key=customer_key, partition=partition, offset=offset
        )
    context = traceparent(attributes.get(TRACE_HEADER))
    event.traceparent = context or traceparent(envelope.get(TRACE_HEADER))
    if DECIDE_FROM_HEADER in attributes:
        event.decide_from_ms = _decide_from_ms(attributes[DECIDE_FROM_HEADER])
    return event


def _decide_from_ms(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= MAX_MS:
        raise EventError(
            "envelope", f"{DECIDE_FROM_HEADER}: expected epoch milliseconds, got other text"
        )
    return int(text)


def trace_of(headers: Headers | None) -> str | None:
    """The trace context in a record's headers alone, for what could not be understood."""
    found = None
    for name, raw in headers or ():
        if raw is not None and name.lower() in (TRACE_HEADER, f"ce_{TRACE_HEADER}"):
            found = traceparent(raw.decode(errors="replace")) or found
    return found


def decode_erasure(
    topic: str, partition: int | None, offset: int | None, key: bytes | None
) -> Erasure:
    """What a record with a null value says. Raises EventError."""
    if topic != PROFILES:
        raise EventError("null_value", f"expected a JSON object, got a null value on {topic}")
    if key is None:
        raise EventError("key", "key: expected the customer id to erase, got nothing")
    customer_id = _key_text(key)
    if not 0 < len(customer_id) <= MAX_CUSTOMER_ID_CHARS:
        raise EventError(
            "key",
            f"key: expected a customer id of 1..{MAX_CUSTOMER_ID_CHARS} characters,"
            f" got {len(customer_id)}",
        )
    return Erasure(customer_id=customer_id, partition=partition, offset=offset)


def _key_text(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError:
        raise EventError("key", "key: expected UTF-8, got other bytes") from None


def _texts(headers: Headers) -> dict[str, str]:
    """The headers that say something about the event; the last of a name wins."""
    texts = {}
    for raw_name, raw in headers:
        name = raw_name.lower()
        if raw is None:
            continue
        if name == TRACE_HEADER:
            texts[name] = raw.decode(errors="replace")
        elif name.startswith("ce_") or name in ("content-type", DECIDE_FROM_HEADER):
            try:
                texts[name] = raw.decode()
            except UnicodeDecodeError:
                raise EventError(
                    "envelope", f"{name[:32]}: expected a header in UTF-8, got other bytes"
                ) from None
    return texts


def is_structured(texts: Mapping[str, str]) -> bool:
    """Whether headers (names in small letters) say that the value is a whole CloudEvent."""
    return _content_type(texts).startswith(_STRUCTURED)


def is_binary(texts: Mapping[str, str]) -> bool:
    """Whether headers are a CloudEvent's attributes, and the value its data."""
    return "ce_specversion" in texts or "ce_id" in texts


def _content_type(texts: Mapping[str, str]) -> str:
    return texts.get("content-type", "").strip().lower()


def _structured(content_type: str, obj: object) -> Mapping[str, Any]:
    media_type, _, parameters = content_type.partition(";")
    charset = parameters.strip().removeprefix("charset=").strip('"')
    if media_type.strip() != _STRUCTURED_JSON or charset not in ("", "utf-8", "us-ascii"):
        raise EventError(
            "envelope", f"content-type: expected {_STRUCTURED_JSON} in UTF-8, got another"
        )
    if not isinstance(obj, dict):
        raise EventError("not_object", "expected a CloudEvent as a JSON object, got another value")
    return obj


def _binary(attributes: Mapping[str, str], data: object) -> Mapping[str, Any]:
    envelope: dict[str, Any] = {
        name: attributes[f"ce_{name}"]
        for name in ("specversion", "id", "type", "subject", "time", TRACE_HEADER)
        if f"ce_{name}" in attributes
    }
    envelope["data"] = data
    return envelope


def _cloud_event(
    attributes: Mapping[str, Any],
    topic: str,
    partition: int | None,
    offset: int | None,
    key: str | None,
) -> Event:
    if attributes.get("specversion") != _SPEC_VERSION:
        raise EventError("envelope", f"specversion: expected {_SPEC_VERSION!r}, got another")
    envelope = {field: attributes.get(name) for field, name in CLOUD_EVENT_ATTRIBUTES.items()}
    try:
        return parse_envelope(envelope, topic=topic, key=key, partition=partition, offset=offset)
    except EventError as exc:
        field, colon, rest = str(exc).partition(":")
        raise EventError(
            exc.reason, f"{CLOUD_EVENT_ATTRIBUTES.get(field, field)}{colon}{rest}"
        ) from None
