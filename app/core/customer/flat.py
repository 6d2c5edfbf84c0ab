"""A customer's record as one array, its fields in order of declaration.

That is how version 1 of the table has it, as msgpack, and ``customers.jsonl`` of a backtest, as
JSON. An array that ends early lacks fields that were not known when it was written.
"""

from collections.abc import Callable
from math import inf
from operator import attrgetter
from typing import Any, Final

import msgspec
from msgspec.structs import astuple, fields

from app.core.customer.columns import Bought, Facts, Profile, Sends, State
from app.core.customer.instance import read_instance
from app.core.customer.parts import FactDay, FactState
from app.core.customer.record import FIELDS, Customer
from app.core.time.instants import END_OF_TIME_MS

_values_of: Final[Callable[[Any], tuple[Any, ...]]] = attrgetter(*FIELDS)
_INSTANCES: Final = FIELDS.index("instances")


def _described() -> list[Any]:
    """The fields of ``Customer`` as msgspec wants them: (name, type) or (name, type, default)."""
    known: dict[str, Any] = {
        "customer_id": ("customer_id", str),
        "outbox": ("outbox", list[bytes], msgspec.field(default_factory=list)),
        "due_ms": ("due_ms", int | None, END_OF_TIME_MS),
    }
    for column in (State, Profile, Sends, Bought, Facts):
        for each in fields(column):
            if each.default is msgspec.NODEFAULT:
                default = msgspec.field(default_factory=each.default_factory)
                known[each.name] = (each.name, each.type, default)
            else:
                known[each.name] = (each.name, each.type, each.default)
    return [known[name] for name in FIELDS]


_TOTAL: Final = FactState.__struct_fields__.index("total")
_DAYS: Final = FactState.__struct_fields__.index("days")
_DAY_TOTAL: Final = FactDay.__struct_fields__.index("total")
_Flat: Final = msgspec.defstruct("_Flat", _described(), array_like=True, gc=False)
_json_encoder: Final = msgspec.json.Encoder()
_json_decoder: Final = msgspec.json.Decoder(_Flat)
_msgpack_decoder: Final = msgspec.msgpack.Decoder(_Flat)


def values_of(customer: Customer) -> tuple[Any, ...]:
    """The values of all fields, instances as arrays."""
    values = [*_values_of(customer)]
    values[_INSTANCES] = [instance.array() for instance in customer.instances]
    return tuple(values)


def to_json(customer: Customer) -> bytes:
    """The record as a JSON array."""
    return _json_encoder.encode(values_of(customer))


def from_json(line: bytes) -> Customer:
    """The record in a JSON array. Raises msgspec.DecodeError.

    JSON has no infinity: a sum that has overflown is null there, and is infinite again.
    """
    try:
        flat = _json_decoder.decode(line)
    except msgspec.ValidationError:
        array = msgspec.json.decode(line)
        if not isinstance(array, list) or not _overflow(array):
            raise
        flat = msgspec.convert(array, _Flat)
    return _customer(flat)


def _customer(flat: msgspec.Struct) -> Customer:
    values = dict(zip(FIELDS, astuple(flat), strict=True))
    values["instances"] = [read_instance(astuple(each)) for each in values["instances"]]
    return Customer(values.pop("customer_id"), **values)


def _overflow(array: list[Any]) -> bool:
    """Make each sum that is null infinite. False without one, or when it is no record."""
    by_name = dict(zip(FIELDS, array, strict=False))
    sums = by_name.get("sums", {})
    try:
        places = [(sums, name) for name in sums]
        for state in by_name.get("facts", {}).values():
            places += [(state, _TOTAL), *((day, _DAY_TOTAL) for day in state[_DAYS])]
        missing = [(holder, key) for holder, key in places if holder[key] is None]
    except (AttributeError, IndexError, TypeError):
        return False
    for holder, key in missing:
        holder[key] = inf
    return bool(missing)


def from_msgpack(array: bytes | memoryview) -> Customer:
    """The record in a msgpack array. Raises msgspec.DecodeError."""
    customer = _customer(_msgpack_decoder.decode(array))
    customer.about_bytes = len(array)
    return customer
