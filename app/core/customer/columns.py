"""The columns of a customer's record: groups of fields that are used together.

A column is the msgpack array of its fields, in the order of its class below, or nothing at all
while every field has its default. New fields go at the end of a column with a default: a reader of
an older record fills them in, and one of an older release leaves them out.
"""

from collections.abc import Callable
from operator import attrgetter, itemgetter
from typing import Any, Final

import msgspec
from msgspec.structs import asdict

from app.core.customer.record import (
    Customer,
    Entered,
    FactState,
    Instance,
    Purchases,
    Sent,
    StoppedStart,
)
from app.core.numbers import Number

_dumps: Final = msgspec.msgpack.Encoder().encode


class State(msgspec.Struct, array_like=True, gc=False):
    """What nearly every event or timer looks at: decoded with the record."""

    applied: dict[str, int] = {}
    seen: bytes = b""
    counts: dict[str, int] = {}
    sums: dict[str, float] = {}
    views_ms: list[int] = []
    instances: list[Instance] = []
    identities: dict[str, bytes] = {}
    cancels_ms: dict[str, dict[str, int]] = {}
    cancels_all_ms: dict[str, int] = {}
    frequencies_ms: dict[str, dict[str, list[int]]] = {}
    starts_ms: dict[str, dict[str, list[int]]] = {}
    fired_years: dict[str, int] = {}
    last_seen_ms: int | None = None
    first_order_ms: int | None = None
    last_order_ms: int | None = None
    last_purchase_ms: int | None = None
    discounted: int = 0
    has_profile: bool = False
    facts_version: str = ""
    reached: dict[str, list[Number]] = {}
    entered: dict[str, list[Entered]] = {}
    stopped: list[StoppedStart] = []
    decide_from_ms: int = 0
    merged_into: str | None = None
    merged_at_ms: int = 0
    erased_ms: int = 0


class Profile(msgspec.Struct, array_like=True, gc=False):
    """Who the customer is, and what may be sent to them."""

    profile: dict[str, Any] = {}
    profile_ms: dict[str, int] = {}
    address_ms: dict[str, int] = {}
    consent_given_ms: dict[str, int] = {}
    unsubscribed_ms: dict[str, int] = {}
    bounced_ms: dict[str, int] = {}
    complained_ms: dict[str, int] = {}
    bounced: dict[str, list[str]] = {}
    soft_bounces_ms: dict[str, dict[str, list[int]]] = {}
    mail_taken_ms: dict[str, int] = {}


class Sends(msgspec.Struct, array_like=True, gc=False):
    """What was sent, and when the customer opens it."""

    sends: list[Sent] = []
    opened_minutes: list[int] = []


class Bought(msgspec.Struct, array_like=True, gc=False):
    """The purchases that can be taken back."""

    purchases: dict[str, Purchases] = {}


class Facts(msgspec.Struct, array_like=True, gc=False):
    """The facts that the rules declare."""

    facts: dict[str, FactState] = {}


_read_state: Final = msgspec.msgpack.Decoder(State).decode


def read_state(customer: Customer, column: bytes) -> None:
    """Set the fields of ``State``. Raises msgspec.DecodeError."""
    read = _read_state(column) if column else State()
    customer.applied, customer.seen = read.applied, read.seen
    customer.counts, customer.sums, customer.views_ms = read.counts, read.sums, read.views_ms
    customer.instances, customer.identities = read.instances, read.identities
    customer.cancels_ms, customer.cancels_all_ms = read.cancels_ms, read.cancels_all_ms
    customer.frequencies_ms, customer.starts_ms = read.frequencies_ms, read.starts_ms
    customer.fired_years, customer.last_seen_ms = read.fired_years, read.last_seen_ms
    customer.first_order_ms, customer.last_order_ms = read.first_order_ms, read.last_order_ms
    customer.last_purchase_ms, customer.discounted = read.last_purchase_ms, read.discounted
    customer.has_profile, customer.facts_version = read.has_profile, read.facts_version
    customer.reached, customer.entered, customer.stopped = read.reached, read.entered, read.stopped
    customer.decide_from_ms, customer.merged_into = read.decide_from_ms, read.merged_into
    customer.merged_at_ms, customer.erased_ms = read.merged_at_ms, read.erased_ms


def write_state(customer: Customer) -> bytes:
    """The column of ``State``."""
    return _dumps(
        (
            customer.applied,
            customer.seen,
            customer.counts,
            customer.sums,
            customer.views_ms,
            customer.instances,
            customer.identities,
            customer.cancels_ms,
            customer.cancels_all_ms,
            customer.frequencies_ms,
            customer.starts_ms,
            customer.fired_years,
            customer.last_seen_ms,
            customer.first_order_ms,
            customer.last_order_ms,
            customer.last_purchase_ms,
            customer.discounted,
            customer.has_profile,
            customer.facts_version,
            customer.reached,
            customer.entered,
            customer.stopped,
            customer.decide_from_ms,
            customer.merged_into,
            customer.merged_at_ms,
            customer.erased_ms,
        )
    )


_read_outbox: Final = msgspec.msgpack.Decoder(list[bytes]).decode


def read_outbox(column: bytes) -> list[bytes]:
    """The lines in the column of the outbox. Raises msgspec.DecodeError."""
    return _read_outbox(column)


def write_outbox(customer: Customer) -> bytes:
    """The column of the outbox."""
    return _dumps(customer.outbox) if customer.outbox else b""


class Column:
    """A column that is decoded when one of its fields is asked for."""

    __slots__ = ("_from_record", "decode", "empty", "fields", "first", "values_in")

    def __init__(self, fields: type[msgspec.Struct]) -> None:
        names = fields.__struct_fields__
        #: the fields of ``Customer`` in it, and the first of them
        self.fields: Final = frozenset(names)
        self.first: Final = names[0]
        #: their values in a dictionary that has them all, in the order that they are written in
        self.values_in: Final[Callable[[dict[str, Any]], tuple[Any, ...]]] = (
            itemgetter(*names) if len(names) > 1 else lambda known: (known[names[0]],)
        )
        self._from_record: Final[Callable[[Customer], tuple[Any, ...]]] = (
            attrgetter(*names) if len(names) > 1 else lambda known: (getattr(known, names[0]),)
        )
        #: reads a column that is not empty; raises msgspec.DecodeError
        self.decode: Final = msgspec.msgpack.Decoder(fields).decode
        #: the array of the defaults
        self.empty: Final = _dumps(fields())

    def read(self, column: bytes) -> dict[str, Any]:
        """The values of all fields. Raises msgspec.DecodeError."""
        return asdict(self.decode(column or self.empty))

    def write(self, customer: Customer) -> bytes:
        """The column of the record: nothing while all fields have their defaults."""
        column = _dumps(self._from_record(customer))
        return b"" if column == self.empty else column

    def rewrite(self, customer: Customer, column: bytes, known: dict[str, Any]) -> bytes:
        """The column of a record of which ``known`` are the fields that were read or set; as it
        was when none of its fields is among them.
        """
        if self.first in known:
            try:
                written = _dumps(self.values_in(known))
            except KeyError:  # one was set before any was read
                return self.write(customer)
            return b"" if written == self.empty else written
        return column if self.fields.isdisjoint(known) else self.write(customer)


#: Those that are decoded when asked for, in the order that a record has them in.
COLUMNS: Final = (Column(Profile), Column(Sends), Column(Bought), Column(Facts))
