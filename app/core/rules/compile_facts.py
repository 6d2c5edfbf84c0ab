"""From ``facts:`` of a valid rules document to the facts that the record gathers."""

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from app.core.customer.declared_facts import (
    CountAll,
    DeclaredFact,
    Distinct,
    First,
    Most,
    Newest,
    Rolling,
    Total,
    ValuesOf,
)
from app.core.customer.limits import MAX_FACT_VALUES
from app.core.events import ITEMS, FieldType
from app.core.rules.conditions import Facts, compile_condition
from app.core.rules.taxonomy import READERS, Reader, Taxonomy
from app.core.time.durations import parse_duration_ms

Document = Mapping[str, Any]

FACT_OPS: Final = ("last", "first", "most", "count", "sum", "mean", "min", "max", "distinct")
#: They take numbers.
NUMBER_OPS: Final = frozenset({"sum", "mean", "min", "max"})
_ROLLING_OPS: Final = NUMBER_OPS | {"count", "first"}
_DIGEST_BYTES: Final = 6


def op_of(body: Document) -> str:
    """What the fact asks."""
    return next(op for op in FACT_OPS if op in body)


def source_of(body: Document) -> tuple[str, str]:
    """(event type, field path in its data or empty)."""
    event_type, _, path = body[op_of(body)].partition(".")
    return event_type, path


def type_of_source(body: Document, taxonomy: Taxonomy) -> FieldType | None:
    """The type of the values taken; None: of items' fields that are not known, any scalar.

    Of a bare event type it is the time of the event.
    """
    _, path = source_of(body)
    if not path:
        return FieldType.TIME
    return taxonomy.fields.get(path.removeprefix(f"{ITEMS}."))


def is_instant(body: Document, taxonomy: Taxonomy) -> bool:
    """Whether the fact's values are instants, in epoch ms."""
    says_a_value = op_of(body) in ("last", "first", "most")
    return says_a_value and type_of_source(body, taxonomy) is FieldType.TIME


def compile_facts(
    facts: Document, taxonomy: Taxonomy, currency: str | None
) -> dict[str, DeclaredFact]:
    """Every fact by its name."""
    times = frozenset(f"event.{name}" for name, kind in taxonomy.fields.items() if kind == "time")
    known = Facts(values={}, instants=times)
    return {name: _fact(name, body, taxonomy, currency, known) for name, body in facts.items()}


def _fact(
    name: str, body: Document, taxonomy: Taxonomy, currency: str | None, known: Facts
) -> DeclaredFact:
    op = op_of(body)
    _, path = source_of(body)
    kind = type_of_source(body, taxonomy)
    common: dict[str, Any] = {
        "name": name,
        "type": source_of(body)[0],
        "definition": _definition(body, kind),
        "values_of": _values_of(op, path, kind, currency),
        "when": compile_condition(body["when"], known) if "when" in body else None,
        "within_ms": parse_duration_ms(body["within"]) if "within" in body else None,
    }
    if op in _ROLLING_OPS and "within" in body:
        return Rolling(op=op, **common)
    match op:
        case "last":
            return Newest(limit=body.get("keep", 1), is_list="keep" in body, **common)
        case "distinct":
            return Distinct(limit=MAX_FACT_VALUES, is_count=True, **common)
        case "most":
            return Most(**common)
        case "first":
            return First(**common)
        case "count":
            return CountAll(**common)
    return Total(op=op, **common)


def _definition(body: Document, kind: FieldType | None) -> str:
    text = json.dumps([body, kind], sort_keys=True)
    return blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def _values_of(op: str, path: str, kind: FieldType | None, currency: str | None) -> ValuesOf:
    if not path:
        return _presence if op == "count" else _time
    is_number = kind is None and op in NUMBER_OPS
    read = _scalar if kind is None else READERS[kind]
    read = READERS[FieldType.NUMBER] if is_number else read
    if path.startswith(f"{ITEMS}."):
        return _items(path.removeprefix(f"{ITEMS}."), kind, read, currency)

    def one(data: dict[str, Any], occurred_ms: int) -> tuple[Any, ...]:
        value = data.get(path)
        if value is None:
            return ()
        value = read(value)
        return () if value is None else (value,)

    return one


def _presence(data: dict[str, Any], occurred_ms: int) -> tuple[Any, ...]:
    return (None,)


def _time(data: dict[str, Any], occurred_ms: int) -> tuple[Any, ...]:
    return (occurred_ms,)


def _items(field: str, kind: FieldType | None, read: Reader, currency: str | None) -> ValuesOf:
    """The field of each item; money in another currency than the rules' is missing."""

    def all_items(data: dict[str, Any], occurred_ms: int) -> tuple[Any, ...]:
        items = data.get(ITEMS)
        if type(items) is not list:
            return ()
        if kind is FieldType.MONEY and currency and data.get("currency", currency) != currency:
            return ()
        values = []
        for item in items:
            if type(item) is dict:
                value = read(item.get(field))
                if value is not None:
                    values.append(value)
        return tuple(values)

    return all_items


def _scalar(value: object) -> object:
    return value if type(value) in (str, int, float, bool) else None
