"""A customer's record as bytes: a head of fixed length, and columns.

All numbers are big-endian and without a sign, unless it is said.

    offset  bytes
         0      8  due: epoch ms at which the earliest timer fires, with a sign; END_OF_TIME_MS
                   without one
         8     28  directory: where the customer id, then each column ends, 4 bytes each, counted
                   from offset 36
        36      -  customer id as UTF-8
         -      -  the columns (``app.core.customer.columns``): state, outbox (the msgpack array of
                   its lines), profile, sends, bought, facts; each may be empty

The state and the outbox are decoded with the record. Another column stays bytes until one of its
fields is asked for or set, and only then is it encoded again; what is written is the same as if all
had been.
"""

from struct import Struct, error
from typing import Any, Final

import msgspec
from msgspec.structs import asdict

from app.core.customer.columns import (
    COLUMNS,
    read_outbox,
    read_state,
    write_outbox,
    write_state,
)
from app.core.customer.record import Customer
from app.core.errors import InfrastructureError

_HEAD: Final = Struct(">q7I")
_HEAD_BYTES: Final = _HEAD.size
_PROFILE, _SENDS, _BOUGHT, _FACTS = COLUMNS


class WithProfile(msgspec.Struct, gc=False):
    """What is read of a record to find a customer."""

    customer_id: str
    profile: dict[str, Any]


class StoredCustomer(Customer):
    """A record that was read from bytes: the fields of a column that was not asked for are not
    there yet (``_Lazy``).
    """

    __slots__ = ("__dict__", "columns")

    #: profile, sends, bought, facts, as they were read
    columns: tuple[bytes, bytes, bytes, bytes]


class _Lazy:
    """A field of a stored record: its column is decoded when it is read for the first time.

    No data descriptor, so that from then on, or once it was set, the record's own value counts.
    """

    __slots__ = ("_decode", "_empty", "_name", "_number")

    def __init__(self, name: str, number: int) -> None:
        self._name: Final = name
        self._number: Final = number
        self._decode: Final = COLUMNS[number].decode
        self._empty: Final = COLUMNS[number].empty

    def __get__(self, customer: StoredCustomer, owner: object) -> Any:
        values, column = customer.__dict__, customer.columns[self._number]
        try:
            read = asdict(self._decode(column or self._empty))
        except msgspec.MsgspecError as exc:
            raise _unreadable(exc) from exc
        if values:
            read.update(values)
        values.update(read)
        return values[self._name]


for _number, _column in enumerate(COLUMNS):
    for _name in _column.fields:
        setattr(StoredCustomer, _name, _Lazy(_name, _number))


def encode(customer: Customer, prefix: bytes = b"") -> bytes:
    """The record as bytes, after ``prefix``."""
    due_ms, customer_id = customer.due_ms, customer.customer_id.encode()
    state, outbox = write_state(customer), write_outbox(customer)
    if type(customer) is StoredCustomer:
        profile, sends, bought, facts = customer.columns
        known = customer.__dict__
        if known:
            profile = _PROFILE.rewrite(customer, profile, known)
            sends = _SENDS.rewrite(customer, sends, known)
            bought = _BOUGHT.rewrite(customer, bought, known)
            facts = _FACTS.rewrite(customer, facts, known)
    else:
        profile, sends = _PROFILE.write(customer), _SENDS.write(customer)
        bought, facts = _BOUGHT.write(customer), _FACTS.write(customer)
    a = len(customer_id)
    b = a + len(state)
    c = b + len(outbox)
    d = c + len(profile)
    e = d + len(sends)
    f = e + len(bought)
    head = _HEAD.pack(
        customer.next_due_ms() if due_ms is None else due_ms, a, b, c, d, e, f, f + len(facts)
    )
    return b"".join((prefix, head, customer_id, state, outbox, profile, sends, bought, facts))


def decode(record: bytes, start: int = 0) -> Customer:
    """The record that begins at ``start``. Raises InfrastructureError when it is none."""
    customer = StoredCustomer.__new__(StoredCustomer)
    try:
        customer.due_ms, a, b, c, d, e, f, g = _HEAD.unpack_from(record, start)
        body = record[start + _HEAD_BYTES :]
        if len(body) != g:
            raise ValueError(f"expected {g} bytes after its head, got {len(body)}")
        customer.customer_id = body[:a].decode()
        read_state(customer, body[a:b])
        customer.outbox = read_outbox(body[b:c]) if b < c else []
    except (msgspec.MsgspecError, error, ValueError) as exc:
        raise _unreadable(exc) from exc
    customer.columns = body[c:d], body[d:e], body[e:f], body[f:]
    customer.about_bytes = g - (c - b)
    return customer


def decode_profile(record: bytes, start: int = 0) -> WithProfile:
    """Id and profile of the record that begins at ``start``; errors as those of ``decode``."""
    try:
        _, a, _, c, d, *_ = _HEAD.unpack_from(record, start)
        body = start + _HEAD_BYTES
        profile = _PROFILE.read(record[body + c : body + d])["profile"]
        return WithProfile(record[body : body + a].decode(), profile)
    except (msgspec.MsgspecError, error, ValueError) as exc:
        raise _unreadable(exc) from exc


def record_bytes(customer: Customer) -> int:
    """Bytes of the record without what belongs to the processor: its outbox and offsets."""
    outbox, customer.outbox = customer.outbox, []
    applied, customer.applied = customer.applied, {}
    size = len(encode(customer))
    customer.outbox, customer.applied = outbox, applied
    return size


def _unreadable(exc: Exception) -> InfrastructureError:
    return InfrastructureError(f"a customer record cannot be read: {exc}")
