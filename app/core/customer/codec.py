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
fields is asked for or set, and only then is it encoded again; so do single instances, sends and
fields of the state. What is written is the same as if all had been.
"""

from dataclasses import dataclass
from struct import Struct, error
from typing import Any, Final

import msgspec

from app.core.customer.column_codec import PROFILE, read_outbox, read_state, unreadable, write_array
from app.core.customer.record import Customer

_HEAD: Final = Struct(">q7I")
_HEAD_BYTES: Final = _HEAD.size


@dataclass(slots=True)
class WithProfile:
    """What is read of a record to find a customer."""

    customer_id: str
    profile: dict[str, Any]


def encode(customer: Customer, prefix: bytes = b"") -> bytes:
    """The record as bytes, after ``prefix``."""
    due_ms, customer_id = customer.due_ms, customer.customer_id.encode()
    state = write_array(customer.state())
    outbox = write_array(customer.outbox) if customer.outbox else b""
    profile, sends, bought, facts = customer.columns()
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
    try:
        due_ms, a, b, c, d, e, f, g = _HEAD.unpack_from(record, start)
        body = record[start + _HEAD_BYTES :]
        if len(body) != g:
            raise ValueError(f"expected {g} bytes after its head, got {len(body)}")
        customer = Customer(
            body[:a].decode(),
            read_state(body[a:b]) if a < b else None,
            (body[c:d], body[d:e], body[e:f], body[f:]),
        )
        customer.outbox = read_outbox(body[b:c]) if b < c else []
    except (msgspec.MsgspecError, error, ValueError) as exc:
        raise unreadable(exc) from exc
    customer.due_ms = due_ms
    customer.about_bytes = g - (c - b)
    return customer


def decode_profile(record: bytes, start: int = 0) -> WithProfile:
    """Id and profile of the record that begins at ``start``; errors as those of ``decode``."""
    try:
        _, a, _, c, d, *_ = _HEAD.unpack_from(record, start)
        body = start + _HEAD_BYTES
        profile = PROFILE.read(record[body + c : body + d]).profile
        return WithProfile(record[body : body + a].decode(), profile)
    except (error, ValueError) as exc:
        raise unreadable(exc) from exc


def record_bytes(customer: Customer) -> int:
    """Bytes of the record without what belongs to the processor: its outbox and offsets."""
    outbox, customer.outbox = customer.outbox, []
    applied, customer.applied = customer.applied, {}
    size = len(encode(customer))
    customer.outbox, customer.applied = outbox, applied
    return size
