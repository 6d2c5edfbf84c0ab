"""Conditions: compiled once from the rules file into closures.

A condition asks about the data of the anchoring event (``event.*``), the profile (``profile.*``)
and derived facts (``customer.*``). A missing or null field makes a leaf false, ``exists: false``
aside. A leaf compares with a value of the rules file, or with another field, scaled.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.core.customer.facts import COUNTERS, FACTS, INSTANT_FACTS, SUM_FACTS
from app.core.customer.record import Customer
from app.core.numbers import Number
from app.core.time.durations import parse_duration_ms
from app.core.time.instants import parse_rfc3339

#: (data of the anchoring event, customer, now in epoch ms) -> value or verdict
Getter = Callable[[dict[str, Any], Customer, int], Any]
Condition = Callable[[dict[str, Any], Customer, int], bool]
Fact = Callable[[Customer, int], Any]

#: Sums, products, and what they are compared with are rounded to so many decimal places.
SUM_DECIMALS: Final = 6
#: The data of no event: what is asked of a customer alone.
NO_EVENT: Final[dict[str, Any]] = {}
BIRTHDAY: Final = "profile.birthday"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What field paths mean beyond the record: the values of ``customer.*``, and which paths have
    which type.
    """

    #: ``NAME`` in ``customer.NAME`` -> its value for (customer, now)
    values: Mapping[str, Fact]
    #: paths whose values are instants, in epoch ms
    instants: frozenset[str] = frozenset(f"customer.{name}" for name in INSTANT_FACTS)
    #: paths whose values are sums, rounded to a millionth
    sums: frozenset[str] = frozenset(f"customer.{name}" for name in SUM_FACTS)


BUILT_IN: Final = Facts(values=FACTS)

OPS: Final = (
    "eq",
    "ne",
    "gt",
    "gte",
    "lt",
    "lte",
    "in",
    "not_in",
    "exists",
    "contains",
    "older_than",
)
_ORDER: Final = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def compile_field(path: str, facts: Facts = BUILT_IN) -> Getter:
    """A getter for ``event.value``, ``profile.attributes.tier`` or ``customer.orders``."""
    scope, _, rest = path.partition(".")
    if scope == "step":
        return lambda data, customer, now_ms: data.get(path, False)
    if scope == "customer":
        fact = facts.values[rest]
        return lambda data, customer, now_ms: fact(customer, now_ms)
    if "." not in rest:
        if scope == "event":
            return lambda data, customer, now_ms: data.get(rest)
        return lambda data, customer, now_ms: customer.profile.get(rest)
    parts = rest.split(".")
    if scope == "event":
        return lambda data, customer, now_ms: _descend(data, parts)
    return lambda data, customer, now_ms: _descend(customer.profile, parts)


def _descend(value: Any, parts: list[str]) -> Any:
    for part in parts:
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def compile_condition(tree: Mapping[str, Any], facts: Facts = BUILT_IN) -> Condition:
    """The closure for a condition that the schema has found well formed."""
    if "all" in tree:
        parts = tuple(compile_condition(part, facts) for part in tree["all"])
        if len(parts) == 1:
            return parts[0]
        return lambda data, customer, now_ms: all(part(data, customer, now_ms) for part in parts)
    if "any" in tree:
        parts = tuple(compile_condition(part, facts) for part in tree["any"])
        return lambda data, customer, now_ms: any(part(data, customer, now_ms) for part in parts)
    if "not" in tree:
        inner = compile_condition(tree["not"], facts)
        return lambda data, customer, now_ms: not inner(data, customer, now_ms)
    return _compile_leaf(tree["field"], tree["op"], tree.get("value", True), facts)


def compile_segments(segments: Mapping[str, Mapping[str, Any]], facts: Facts) -> Fact:
    """The names of the segments whose conditions hold for a customer, sorted."""
    conditions = [(name, compile_condition(segments[name], facts)) for name in sorted(segments)]

    def held(customer: Customer, now_ms: int) -> list[str]:
        names = []
        for name, condition in conditions:
            if condition(NO_EVENT, customer, now_ms):
                names.append(name)
        return names

    return held


def fields_of(tree: Mapping[str, Any]) -> set[str]:
    """Every field path that a condition names."""
    if "field" in tree:
        value = tree.get("value")
        return {tree["field"], value["field"]} if isinstance(value, dict) else {tree["field"]}
    if "not" in tree:
        return fields_of(tree["not"])
    parts = [*tree.get("all", ()), *tree.get("any", ())]
    return set().union(*(fields_of(part) for part in parts))


def _compile_leaf(path: str, op: str, value: Any, facts: Facts) -> Condition:
    get = compile_field(path, facts)
    if op == "exists":
        wanted = value is not False
        return lambda data, customer, now_ms: (get(data, customer, now_ms) is not None) is wanted
    if op == "older_than":
        return _compile_age(get, parse_duration_ms(value))
    if isinstance(value, dict):
        return _compile_comparison(path, op, value, facts)
    if path in facts.instants:
        value = _as_instants(value)
    elif path in facts.sums:
        value = _rounded(value)
    if op in _ORDER and type(value) in (int, float):
        return _compile_number(path, get, _ORDER[op], value, facts)
    test = _test(op, value)
    if path == BIRTHDAY and op in _ORDER:
        return _compile_birthday(get, test)

    def leaf(data: dict[str, Any], customer: Customer, now_ms: int) -> bool:
        got = get(data, customer, now_ms)
        return got is not None and test(got)

    return leaf


def _compile_number(
    path: str, get: Getter, compare: Callable[[Any, Any], bool], number: Number, facts: Facts
) -> Condition:
    """Order against a number: the usual condition of a segment, without calls in between."""
    scope, _, name = path.partition(".")
    if scope == "customer":
        fact = facts.values[name]
        counted = COUNTERS.get(name)
        if counted is not None:

            def counter_leaf(data: dict[str, Any], customer: Customer, now_ms: int) -> bool:
                return compare(customer.counts.get(counted, 0), number)

            return counter_leaf

        def fact_leaf(data: dict[str, Any], customer: Customer, now_ms: int) -> bool:
            got = fact(customer, now_ms)
            kind = type(got)
            return (kind is int or kind is float) and compare(got, number)

        return fact_leaf

    def leaf(data: dict[str, Any], customer: Customer, now_ms: int) -> bool:
        got = get(data, customer, now_ms)
        kind = type(got)
        return (kind is int or kind is float) and compare(got, number)

    return leaf


def _compile_age(get: Getter, age_ms: int) -> Condition:
    """Whether an instant (epoch ms, or RFC 3339 text of an attribute) lies further back."""

    def leaf(data: dict[str, Any], customer: Customer, now_ms: int) -> bool:
        got = _instant_of(get(data, customer, now_ms))
        return type(got) is int and got < now_ms - age_ms

    return leaf


def _compile_comparison(path: str, op: str, other: Mapping[str, Any], facts: Facts) -> Condition:
    """Compare with another field, times a factor. Numbers are rounded first: see SUM_DECIMALS."""
    other_path = other["field"]
    needs_instants = (path in facts.instants) != (other_path in facts.instants)
    get, get_other = (
        _compile_side(side, op, facts, needs_instants=needs_instants) for side in (path, other_path)
    )
    factor = other.get("times")

    def leaf(data: dict[str, Any], customer: Customer, now_ms: int) -> bool:
        got, value = get(data, customer, now_ms), get_other(data, customer, now_ms)
        if got is None or value is None:
            return False
        if factor is not None:
            if type(value) not in (int, float):
                return False
            value *= factor
        return _compare(op, _rounded(got), _rounded(value))

    return leaf


def _compile_side(path: str, op: str, facts: Facts, *, needs_instants: bool) -> Getter:
    """One side of a comparison of fields: a birthday without a year has no place in an order, and
    an attribute that is compared with an instant may be RFC 3339 text.
    """
    get = compile_field(path, facts)
    if path == BIRTHDAY and op in _ORDER:
        return lambda data, customer, now_ms: _with_year(get(data, customer, now_ms))
    if needs_instants and path not in facts.instants:
        return lambda data, customer, now_ms: _instant_of(get(data, customer, now_ms))
    return get


def _with_year(birthday: str | None) -> str | None:
    return None if birthday is None or birthday.startswith("-") else birthday


def _instant_of(value: Any) -> Any:
    """RFC 3339 text as epoch ms; any other value as it is."""
    try:
        return parse_rfc3339(value) if type(value) is str else value
    except ValueError:
        return value


def _compare(op: str, left: Any, right: Any) -> bool:
    if op == "eq":
        return is_equal(left, right)
    if op == "ne":
        return not is_equal(left, right)
    if op == "contains":
        return _contains(left, right)
    numbers = type(left) in (int, float) and type(right) in (int, float)
    if not numbers and not (type(left) is str and type(right) is str):
        return False
    return bool(_ORDER[op](left, right))


def _compile_birthday(get: Getter, test: Callable[[Any], bool]) -> Condition:
    """Neither before nor after anything is a birthday without a year (``--MM-DD``)."""

    def leaf(data: dict[str, Any], customer: Customer, now_ms: int) -> bool:
        got = _with_year(get(data, customer, now_ms))
        return got is not None and test(got)

    return leaf


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, SUM_DECIMALS) if type(value) is float else value


def _as_instants(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_instants(item) for item in value]
    return parse_rfc3339(value) if isinstance(value, str) else value


def _test(op: str, value: Any) -> Callable[[Any], bool]:
    if op == "eq":
        return lambda got: is_equal(got, value)
    if op == "ne":
        return lambda got: not is_equal(got, value)
    if op == "in":
        return lambda got: any(is_equal(got, item) for item in value)
    if op == "not_in":
        return lambda got: not any(is_equal(got, item) for item in value)
    if op == "contains":
        return lambda got: _contains(got, value)
    compare = _ORDER[op]
    if isinstance(value, str):
        return lambda got: type(got) is str and compare(got, value)
    if isinstance(value, bool):
        return lambda got: False
    return lambda got: type(got) in (int, float) and compare(got, value)


def is_equal(left: Any, right: Any) -> bool:
    """JSON equality: 1 equals 1.0, and true equals neither."""
    return bool(left == right) and (type(left) is bool) == (type(right) is bool)


def is_same_value(left: Any, right: Any) -> bool:
    """Equality of JSON values for which a missing one, None, is a value too."""
    return left is right or (left is not None and right is not None and is_equal(left, right))


def _contains(got: Any, value: Any) -> bool:
    if isinstance(got, list):
        return any(is_equal(item, value) for item in got)
    return isinstance(got, str) and isinstance(value, str) and value in got
