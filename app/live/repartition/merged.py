"""What the records of merged customers send on, on the repartition topic (customer-merge.md).

An event of a customer A whose record is merged into B's goes to B's partition under B's key, as a
misrouted record does, with four more headers after the five of that: the key that it had; A's
whole record when this is the event of the merge; a digest of A's id; and a number that rises with
everything that A's record sends on, by which B's record knows what it has taken.

The number is now when it is sent, or one more than the last: so it also rises when nothing of A is
left that would know the last one.
"""

import hashlib
from typing import Final, NamedTuple

from app.core.errors import EventError
from app.core.time.instants import BEGINNING_OF_TIME_MS
from app.kafka.types import Headers, InputRecord, RestoredRecord
from app.live.repartition.envelope import MisroutedRecord, unwrap, wrap

_OURS: Final = tuple(f"trigger-merged-{name}" for name in ("key", "record", "sender", "number"))
_DIGEST_BYTES: Final = 8
#: What ``Customer.applied`` calls the number of the last record sent on, and, before the sender's
#: digest, that of the last record taken. No topic has such a name.
_SENT: Final = "/sent"
_TAKEN: Final = "/merged/"
#: Senders that one record knows: a crash repeats what was sent on last, by the newest of them.
_MAX_SENDERS: Final = 64


class ForwardedRecord(NamedTuple):
    """An event that another customer's record sent on, as the repartition topic has it.

    ``offset`` is that of the repartition topic, ``timestamp`` the event's own.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    #: as it was first read
    original: RestoredRecord
    #: what ``Customer.applied`` calls its sender, and its number there
    source: str
    number: int
    #: the encoded record of the customer who is merged by this event
    guest: bytes | None


def number_of_next(applied: dict[str, int], now_ms: int) -> int:
    """The number of what the customer's record sends on next; it is taken note of."""
    number = max(now_ms, applied.get(_SENT, BEGINNING_OF_TIME_MS) + 1)
    applied[_SENT] = number
    return number


def note_taken(applied: dict[str, int], source: str, number: int) -> None:
    """Take note that the record has taken what the sender sent up to this number."""
    applied[source] = number
    senders = [name for name in applied if name.startswith(_TAKEN)]
    if len(senders) > _MAX_SENDERS:
        del applied[min(senders, key=lambda name: applied[name])]


def wrap_forwarded(
    record: InputRecord, *, sender: str, into: str, number: int, guest: bytes | None
) -> MisroutedRecord:
    """The record as it travels to ``into``. Raises EventError: its headers are too large."""
    wrapped = wrap(record.topic, record, into.encode())
    digest = hashlib.blake2b(sender.encode(), digest_size=_DIGEST_BYTES).hexdigest()
    ours = (record.key, guest, digest.encode(), str(number).encode())
    return wrapped._replace(headers=[*wrapped.headers, *zip(_OURS, ours, strict=True)])


def is_forwarded(record: InputRecord) -> bool:
    """Whether a record of the repartition topic was sent on by a merged customer's record."""
    own = record.headers[-len(_OURS) :]
    return tuple(name for name, _ in own) == _OURS


def unwrap_forwarded(record: InputRecord) -> ForwardedRecord:
    """The record that ``wrap_forwarded`` made. Raises EventError when it is not one of ours."""
    (_, key), (_, guest), (_, digest), (_, number) = record.headers[-len(_OURS) :]
    carrier = RestoredRecord(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        record.headers[: -len(_OURS)],
    )
    restored = unwrap(carrier)
    original = restored._replace(key=None if restored.key is None else key or b"")
    try:
        return ForwardedRecord(
            record.topic,
            record.partition,
            record.offset,
            original.timestamp,
            record.key,
            record.value,
            record.headers,
            original,
            _TAKEN + (digest or b"").decode(),
            int(number or b""),
            guest or None,
        )
    except ValueError:
        raise EventError(
            "not_rerouted", "expected the number and sender of a record that was sent on"
        ) from None
