"""The internal topic for records on a partition that is not their key's (spec section 2).

Such a record goes onto ``Settings.repartition_topic``, on the partition where its customer is:
value and headers as they were, the customer id as the key, and after the publisher's headers the
five of ``_OURS``, which say where it was first read. The worker that has that partition takes it
from there as the record that it was: same topic, partition, offset and timestamp. The topic's own
timestamps say when it was sent on, so that its retention counts from then.
"""

from typing import Final, NamedTuple

from app.core.errors import EventError
from app.core.events import MAX_VALUE_BYTES
from app.formats.decode import decode_record
from app.kafka.types import Headers, InputRecord, RestoredRecord

#: Written after the publisher's own headers, in this order; the last one is 1 when it had a key.
_OURS: Final = tuple(
    f"trigger-source-{name}" for name in ("topic", "partition", "offset", "timestamp", "keyed")
)
#: A record with more bytes of headers is a dead letter where it lies: with more of them it might
#: not fit onto another topic.
_MAX_HEADER_BYTES: Final = MAX_VALUE_BYTES


#: Of what travels, all but a customer's record: value, headers, and ours with the frame.
LARGEST_EVENT_BYTES: Final = MAX_VALUE_BYTES + _MAX_HEADER_BYTES + 16 * 1024


class MisroutedRecord(NamedTuple):
    """A record on its way to its own partition."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers


def customer_key(topic: str, record: InputRecord) -> bytes | None:
    """The key that decides where the record belongs; None when that cannot be known.

    That is its own key, or without one the customer id inside. What is too large to be understood
    belongs nowhere.
    """
    value = record.value
    if value is not None and len(value) > MAX_VALUE_BYTES:
        return None
    key: bytes | None = record.key
    if key is not None:
        return key
    try:
        event = decode_record(topic, None, None, None, value, record.headers)
    except EventError:
        return None
    return event.customer_id.encode(errors="surrogatepass")


def wrap(topic: str, record: InputRecord, key: bytes) -> MisroutedRecord:
    """The record as it travels; ``topic`` is its logical topic. EventError: it does not fit."""
    require_room(record)
    ours = (
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        int(record.key is not None),
    )
    headers: list[tuple[str, bytes | None]] = [*record.headers]
    headers += [(name, str(value).encode()) for name, value in zip(_OURS, ours, strict=True)]
    return MisroutedRecord(topic, key, record.value, headers)


def require_room(record: InputRecord) -> None:
    """Raise EventError when the record's headers are too large to travel."""
    size = sum(len(name) + len(value or b"") for name, value in record.headers)
    if size > _MAX_HEADER_BYTES:
        raise EventError(
            "too_large", f"expected headers of at most {_MAX_HEADER_BYTES} bytes, got {size}"
        )


def unwrap(record: InputRecord) -> RestoredRecord:
    """The record as it was first read. Raises EventError when it is not one of ours."""
    own = record.headers[-len(_OURS) :]
    try:
        if tuple(name for name, _ in own) != _OURS:
            raise ValueError
        topic, *numbers = [(value or b"").decode() for _, value in own]
        partition, offset, timestamp_ms, is_keyed = map(int, numbers)
    except ValueError:
        raise EventError(
            "not_rerouted",
            "expected a record that this engine sent on, with the headers that say where it was"
            " first read: nothing else may write onto the repartition topic",
        ) from None
    return RestoredRecord(
        topic,
        partition,
        offset,
        timestamp_ms,
        record.key if is_keyed else None,
        record.value,
        tuple(record.headers[: -len(_OURS)]),
    )
