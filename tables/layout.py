"""How the customers table is laid out, in the changelog topic and on disk.

A changelog entry has the customer id (UTF-8) as its key and as its value a head of ``HEAD_BYTES``
and then the record (tables/records.py); the head says what the indexes need, so that rebuilding
them decodes no record:

    8 bytes  next due time, epoch ms, big-endian, offset by 2**63 so that bytes sort as numbers
    2 bytes  how many steps are pending, big-endian, at most 65535
    1 byte   flags: 1 the record's outbox holds lines, 2 it is a tombstone, 4 it has parked steps,
             8 it sends on what comes for a customer who was merged; its due time is when that ends

A tombstone is what an erased customer leaves: a record with the customer id and the offsets applied
and nothing else, so that events from before the erasure that are read again stay without effect.
Its due time is when it is no longer needed; then a null value takes it away.

One more key, ``EMITTED_KEY``, which no customer can have because it is not UTF-8, carries a
changelog offset (8 bytes): everything in outboxes up to it is on Kafka.

Another one, ``RATES_KEY``, has the next free slots of the send rates (app/core/rules/rates.py) as
if they were the record of a customer, under the head of a tombstone that never ends: it is counted
nowhere and found by its key alone.

On disk, per partition: ``C|id`` -> the entry's value; ``T|due|id`` -> nothing, the timer index;
``E|due|id`` -> nothing, the tombstones; ``M|due|id`` -> nothing, merged customers; ``P|id`` ->
nothing, customers with parked steps;
``U|offset|id`` -> nothing, entries read back from the changelog whose outbox may not be on Kafka
yet; ``O`` -> changelog offset that the rest corresponds to, number of customers, pending steps;
``A`` -> the last instant, epoch ms, at which the rest was known to be what the changelog says.
"""

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from app.core.time.instants import END_OF_TIME_MS

if TYPE_CHECKING:
    from rocksdict import WriteBatch

EMITTED_KEY: Final = b"\xffemitted"
RATES_KEY: Final = b"\xffrates"

CUSTOMER: Final = b"C|"
TIMER: Final = b"T|"
TOMBSTONE: Final = b"E|"
UNSENT: Final = b"U|"
PARKED: Final = b"P|"
MERGED: Final = b"M|"
PROGRESS_KEY: Final = b"O"
AS_OF_KEY: Final = b"A"

_SIGN: Final = 1 << 63
_HEAD: Final = struct.Struct(">QHB")
_U64: Final = struct.Struct(">Q")
_PROGRESS: Final = struct.Struct(">qQQ")
_MAX_PENDING: Final = 65_535
HEAD_BYTES: Final = _HEAD.size
#: where the customer id starts in a ``T|`` or ``U|`` key
_ID_AT: Final = 10
#: where an entry's value has the flags, and how the due time of a customer without one is packed
_FLAGS_AT: Final = 10
_NEVER: Final = _U64.pack(END_OF_TIME_MS + _SIGN)
_HAS_OUTBOX: Final = 1
_IS_ERASED: Final = 2
_HAS_PARKED: Final = 4
_IS_MERGED: Final = 8
#: by the flags: the index that has a customer with a due time
_INDEX: Final = tuple(
    TOMBSTONE if flags & _IS_ERASED else MERGED if flags & _IS_MERGED else TIMER
    for flags in range(16)
)


class Head(NamedTuple):
    """What the indexes know of a record."""

    next_due_ms: int
    pending: int
    has_outbox: bool
    #: a tombstone, which ``next_due_ms`` is the end of
    is_erased: bool = False
    #: a step waits until the partition is current
    has_parked: bool = False
    #: it sends on what comes for the customer, until ``next_due_ms``
    is_merged: bool = False


#: The head of the entry under ``RATES_KEY``.
RATES_HEAD: Final = Head(END_OF_TIME_MS, 0, False, is_erased=True)


class Progress(NamedTuple):
    """How far a partition's database is, and how much is in it."""

    #: the last changelog entry it contains; -1 for none
    offset: int
    customers: int
    pending: int


def pack_value(head: Head, record: bytes) -> bytes:
    """A changelog entry's value."""
    due_ms, pending, has_outbox, is_erased, has_parked, is_merged = head
    flags = has_outbox | is_erased << 1 | has_parked << 2 | is_merged << 3
    return _HEAD.pack(due_ms + _SIGN, min(pending, _MAX_PENDING), flags) + record


def head_of(value: bytes) -> Head:
    """The head of a changelog entry's value."""
    due, pending, flags = _HEAD.unpack_from(value)
    return Head(
        due - _SIGN,
        pending,
        bool(flags & _HAS_OUTBOX),
        bool(flags & _IS_ERASED),
        bool(flags & _HAS_PARKED),
        bool(flags & _IS_MERGED),
    )


def timer_due_ms(value: bytes) -> int:
    """When the customer of a changelog entry's value has a timer; END_OF_TIME_MS without one."""
    if value[_FLAGS_AT] & (_IS_ERASED | _IS_MERGED):
        return END_OF_TIME_MS
    due: int = _U64.unpack_from(value)[0]
    return due - _SIGN


def is_merged(value: bytes) -> bool:
    """Whether the record of a changelog entry's value sends on what comes for the customer."""
    return bool(value[_FLAGS_AT] & _IS_MERGED)


def record_of(value: bytes) -> bytes:
    """The record in a changelog entry's value."""
    return value[HEAD_BYTES:]


def timer_key(due_ms: int, customer_id: bytes) -> bytes:
    """Where the timer index has this customer."""
    return TIMER + _U64.pack(due_ms + _SIGN) + customer_id


def indexed(value: bytes, customer_id: bytes) -> tuple[tuple[bytes, ...], int, int]:
    """What else the database has of a changelog entry: its keys in the indexes of timers,
    tombstones, merged customers and parked steps; how many customers and pending steps it counts
    for.

    Reads the head as it is packed, because a recovery asks this for every entry.
    """
    due, flags = value[:8], value[_FLAGS_AT]
    keys: tuple[bytes, ...] = ()
    if due != _NEVER:
        keys = (_INDEX[flags & 15] + due + customer_id,)
    if flags & _HAS_PARKED:
        keys = (*keys, PARKED + customer_id)
    if flags & _IS_ERASED:
        return keys, 0, 0
    return keys, 1, value[8] << 8 | value[9]


def put_changes(
    batch: "WriteBatch",
    changes: Iterable[tuple[bytes, bytes | None, bytes | None]],
    progress: Progress,
) -> tuple[int, int]:
    """Add to the batch what these changes (``tables.partition.Change``) do to a database with this
    progress; returns how many customers and pending steps it has then.
    """
    _, customers, pending = progress
    put, delete = batch.put, batch.delete
    for customer_id, old, value in changes:
        keys: tuple[bytes, ...] = ()
        if value is not None:
            put(CUSTOMER + customer_id, value)
            keys, count, steps = indexed(value, customer_id)
            customers += count
            pending += steps
        if old is None:
            for key in keys:
                put(key, b"")
            continue
        if value is None:
            delete(CUSTOMER + customer_id)
        old_keys, count, steps = indexed(old, customer_id)
        customers -= count
        pending -= steps
        if keys != old_keys:
            for key in old_keys:
                delete(key)
            for key in keys:
                put(key, b"")
    return customers, pending


def has_outbox(value: bytes) -> bool:
    """Whether the record of a changelog entry's value has lines in its outbox."""
    return bool(value[_FLAGS_AT] & _HAS_OUTBOX)


def timer_of(key: bytes) -> tuple[int, str]:
    """The due time and customer id in a key of the timer index, or of the tombstones'."""
    return _U64.unpack_from(key, 2)[0] - _SIGN, key[_ID_AT:].decode()


def unsent_key(offset: int, customer_id: bytes) -> bytes:
    """Where an entry is remembered whose outbox may not be on Kafka yet."""
    return UNSENT + _U64.pack(offset) + customer_id


def unsent_id(key: bytes) -> str:
    """The customer id in a key made by ``unsent_key``."""
    return key[_ID_AT:].decode()


def pack_offset(offset: int) -> bytes:
    """The value that goes with ``EMITTED_KEY``."""
    return _U64.pack(offset)


def unpack_offset(value: bytes) -> int:
    """The changelog offset that goes with ``EMITTED_KEY``."""
    offset: int = _U64.unpack(value)[0]
    return offset


def pack_progress(progress: Progress) -> bytes:
    """The value of ``PROGRESS_KEY``."""
    return _PROGRESS.pack(*progress)


def unpack_progress(value: bytes | None) -> Progress:
    """The progress in the value of ``PROGRESS_KEY``; that of an empty database without one."""
    return Progress(-1, 0, 0) if value is None else Progress(*_PROGRESS.unpack(value))
