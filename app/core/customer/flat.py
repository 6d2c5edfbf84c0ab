"""A customer's record as one array, its fields in the order of ``FIELDS``.

That is how version 1 of the table has it, as msgpack, and ``customers.jsonl`` of a backtest, as
JSON. An array that ends early lacks fields that were not known when it was written.
"""

from collections.abc import Callable, Iterable
from math import inf
from operator import attrgetter
from types import GenericAlias
from typing import Any, Final, get_origin

import msgspec
from msgspec.structs import astuple, fields

from app.core.customer.columns import KEPT, Bought, Facts, Profile, Sends, State, StoredInstance
from app.core.customer.instance import Instance, read_instance
from app.core.customer.parts import FactDay, FactState, Sent
from app.core.customer.record import FIELDS, Customer
from app.core.recorded import Cause
from app.core.time.instants import END_OF_TIME_MS

_values_of: Final[Callable[[Any], tuple[Any, ...]]] = attrgetter(*FIELDS)
_INSTANCES: Final = FIELDS.index("instances")
_DATA: Final = StoredInstance.__struct_fields__.index("data")
_CAUSE: Final = StoredInstance.__struct_fields__.index("cause")


def _described(fields_of: type[msgspec.Struct], **types: Any) -> dict[str, Any]:
    """The fields of a class as msgspec wants them, by name: (name, type) or (name, type, default),
    some with these types instead.
    """
    described: dict[str, Any] = {}
    for each in fields(fields_of):
        given: tuple[Any, ...] = ()
        if each.name in KEPT:
            given = (msgspec.field(default_factory=get_origin(KEPT[each.name])),)
        elif each.default is not msgspec.NODEFAULT:
            given = (each.default,)
        elif each.default_factory is not msgspec.NODEFAULT:
            given = (msgspec.field(default_factory=each.default_factory),)
        described[each.name] = (each.name, types.get(each.name, each.type), *given)
    return described


def _array(name: str, described: Iterable[Any]) -> Any:
    return msgspec.defstruct(name, described, array_like=True, gc=False)


_Instance: Final = _array(
    "_Instance", _described(StoredInstance, data=dict[str, Any], cause=Cause).values()
)
_described_fields: Final[dict[str, Any]] = {
    "customer_id": ("customer_id", str),
    "outbox": ("outbox", list[bytes], msgspec.field(default_factory=list)),
    "due_ms": ("due_ms", int | None, END_OF_TIME_MS),
    **_described(State, instances=GenericAlias(list, (_Instance,)), **KEPT),
    **_described(Profile),
    **_described(Sends, sends=list[Sent]),
    **_described(Bought),
    **_described(Facts),
}
_Flat: Final = _array("_Flat", [_described_fields[name] for name in FIELDS])
_TOTAL: Final = FactState.__struct_fields__.index("total")
_DAYS: Final = FactState.__struct_fields__.index("days")
_DAY_TOTAL: Final = FactDay.__struct_fields__.index("total")
_json_encoder: Final = msgspec.json.Encoder()
_json_decoder: Final = msgspec.json.Decoder(_Flat)
_msgpack_decoder: Final = msgspec.msgpack.Decoder(_Flat)


def values_of(customer: Customer) -> tuple[Any, ...]:
    """The values of all fields, instances as arrays."""
    values = [*_values_of(customer)]
    values[_INSTANCES] = [_instance_values(instance) for instance in customer.instances]
    return tuple(values)


def _instance_values(instance: Instance) -> list[Any]:
    values = [*instance.array()]
    values[_DATA], values[_CAUSE] = instance.data, instance.cause
    return values


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
