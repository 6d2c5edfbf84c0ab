"""Conditions: compiled once from the rules file into closures.

A condition asks about the data of the anchoring event (``event.*``), the profile (``profile.*``)
and derived facts (``customer.*``). A missing or null field makes a leaf false, ``exists: false``
aside.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from app.core.customer.facts import FACTS, INSTANT_FACTS
from app.core.customer.record import Customer
from app.core.time.instants import parse_rfc3339

#: (data of the anchoring event, customer, now in epoch ms) -> value or verdict
Getter = Callable[[Mapping[str, Any], Customer, int], Any]
Condition = Callable[[Mapping[str, Any], Customer, int], bool]
Facts = Mapping[str, Callable[[Customer, int], Any]]

OPS: Final = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "exists", "contains")
_ORDER: Final = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def compile_field(path: str, facts: Facts = FACTS) -> Getter:
    """A getter for ``event.value``, ``profile.attributes.tier`` or ``customer.orders``."""
    scope, _, rest = path.partition(".")
    if scope == "customer":
        fact = facts[rest]
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
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def compile_condition(tree: Mapping[str, Any], facts: Facts = FACTS) -> Condition:
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


def fields_of(tree: Mapping[str, Any]) -> set[str]:
    """Every field path that a condition names."""
    if "field" in tree:
        return {tree["field"]}
    if "not" in tree:
        return fields_of(tree["not"])
    parts = [*tree.get("all", ()), *tree.get("any", ())]
    return set().union(*(fields_of(part) for part in parts))


def _compile_leaf(path: str, op: str, value: Any, facts: Facts) -> Condition:
    get = compile_field(path, facts)
    if path.removeprefix("customer.") in INSTANT_FACTS:
        value = _as_instants(value)
    if op == "exists":
        wanted = value is not False
        return lambda data, customer, now_ms: (get(data, customer, now_ms) is not None) is wanted
    test = _test(op, value)

    def leaf(data: Mapping[str, Any], customer: Customer, now_ms: int) -> bool:
        got = get(data, customer, now_ms)
        return got is not None and test(got)

    return leaf


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


def _contains(got: Any, value: Any) -> bool:
    if isinstance(got, list):
        return any(is_equal(item, value) for item in got)
    return isinstance(got, str) and isinstance(value, str) and value in got
