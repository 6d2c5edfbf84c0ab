"""What can be wrong with one comparison: a value that does not fit, a leaf that never or always
holds.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from app.core.customer.profile import parse_date, parse_yearly
from app.core.rules.conditions import BIRTHDAY
from app.core.time.durations import parse_duration_ms
from app.core.time.instants import parse_rfc3339
from app.core.time.zones import zone
from app.core.validation.problems import Problem, nearest, shown
from app.core.validation.value_kinds import FieldKinds, ValueKind

Document = Mapping[str, Any]

_ORDER: Final = ("gt", "gte", "lt", "lte")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_FIELD_PATH: Final = re.compile(r"(?:event|profile|customer)\.[A-Za-z0-9_.-]+")
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_TRUE: Final = frozenset({"true", "yes", "on", "y"})
_FALSE: Final = frozenset({"false", "no", "off", "n"})


def check_leaf(path: str, leaf: Document, kinds: FieldKinds) -> Iterator[Problem]:
    """Everything wrong with ``op`` and ``value`` for the field, which exists."""
    field, op = leaf["field"], leaf["op"]
    kind = kinds.kind_of(field)
    value_path = f"{path}.value"
    if op == "exists":
        yield from _check_exists(value_path, leaf, kind)
    elif op == "older_than":
        yield from _check_age(path, leaf, kind)
    elif not _can(op, kind):
        expected = f"{_ops_of(kind)}, because {field} is {kind.words_for_people}"
        yield Problem(f"{path}.op", expected, repr(op), _op_hint(op, kind))
    elif isinstance(leaf.get("value"), Mapping):
        yield from _check_other(value_path, leaf, kind, kinds)
    elif op in ("in", "not_in"):
        yield from _check_list(value_path, leaf, kind)
    elif leaf.get("value") is None or isinstance(leaf["value"], list):
        yield Problem(value_path, f"one value, because op is {op}", _found(leaf))
    else:
        yield from _check_one(value_path, field, op, leaf["value"], kind)


def _check_exists(path: str, leaf: Document, kind: ValueKind) -> Iterator[Problem]:
    value = leaf.get("value", True)
    if type(value) is not bool:
        hint = _flag_hint(value)
        yield Problem(path, "true or false, because op is exists", _found(leaf), hint)
    elif kind.is_always_there:
        always = "always" if value else "never"
        why = f"{leaf['field']} is never missing: this {always} holds"
        expected = f"another question, because {why}"
        yield Problem(path, expected, _found(leaf))


def _check_age(path: str, leaf: Document, kind: ValueKind) -> Iterator[Problem]:
    if kind.name not in ("instant", "any"):
        expected = (
            f"{_ops_of(kind)}, because {leaf['field']} is {kind.words_for_people} and"
            " older_than asks an instant such as customer.last_order_at"
        )
        yield Problem(f"{path}.op", expected, "'older_than'")
    if not _is_duration(leaf.get("value")):
        expected = "a duration such as 30d, because op is older_than"
        yield Problem(f"{path}.value", expected, _found(leaf))


def _check_other(
    path: str, leaf: Document, kind: ValueKind, kinds: FieldKinds
) -> Iterator[Problem]:
    """Another field, scaled or not."""
    value, op = leaf["value"], leaf["op"]
    other = value.get("field")
    if not isinstance(other, str):
        return
    if op not in ("eq", "ne", "contains", *_ORDER):
        yield Problem(path, f"values of the rules file, because op is {op}", repr(other))
        return
    other_kind = kinds.kind_of(other)
    if op == "contains" and kind.name == "list":
        element = ValueKind(name=kind.element)
        if other_kind.name != element.name and "any" not in (element.name, other_kind.name):
            expected = f"a field that is {element.words_for_people}, as what {leaf['field']} lists"
            yield Problem(f"{path}.field", expected, f"{other}, {other_kind.words_for_people}")
            return
        other_kind = kind
    if other_kind.name != kind.name and "any" not in (kind.name, other_kind.name):
        expected = f"a field that is {kind.words_for_people} as {leaf['field']} is"
        yield Problem(f"{path}.field", expected, f"{other}, {other_kind.words_for_people}")
    elif "times" in value and kind.name not in ("number", "any"):
        yield Problem(f"{path}.times", "nothing here, because no number is scaled", "times")
    elif other == leaf["field"] and value.get("times", 1) == 1:
        expected = "another field, because a field compared with itself says nothing"
        yield Problem(f"{path}.field", expected, repr(other))


def _check_list(path: str, leaf: Document, kind: ValueKind) -> Iterator[Problem]:
    values, op = leaf.get("value"), leaf["op"]
    if not isinstance(values, list):
        yield Problem(path, f"a list, because op is {op}", _found(leaf))
        return
    if not values:
        yield Problem(path, "a list with something in it", "[]")
    for index, value in enumerate(values):
        yield from _check_fit(f"{path}[{index}]", leaf["field"], "eq", value, kind)


def _check_one(path: str, field: str, op: str, value: Any, kind: ValueKind) -> Iterator[Problem]:
    if kind.name == "list":
        element = ValueKind(name=kind.element, words=kind.words, what=kind.what)
        yield from _check_fit(path, field, "eq", value, element)
        return
    if op == "contains" and value == "":
        yield Problem(path, "text that is not empty, because every text contains that", "''")
        return
    if op == "contains":
        fits = ValueKind(name="text")
        yield from _check_fit(path, field, "contains", value, fits)
        return
    yield from _check_fit(path, field, op, value, kind)


def _check_fit(path: str, field: str, op: str, value: Any, kind: ValueKind) -> Iterator[Problem]:
    """The value must be of the kind, and one that the field can have."""
    found = shown(value)
    match kind.name:
        case "number":
            if type(value) not in (int, float):
                expected = f"a number, because {field} is one"
                yield Problem(path, expected, found, _number_hint(value))
            else:
                yield from _check_range(path, field, op, value, kind)
        case "flag" if type(value) is not bool:
            expected = f"true or false, because {field} is a flag"
            yield Problem(path, expected, found, _flag_hint(value))
        case "instant" if not _is_instant(value):
            yield Problem(path, "an RFC 3339 time with an offset", found)
        case "date" if not _is_date(value, may_be_yearly=field == BIRTHDAY and op not in _ORDER):
            yield Problem(path, "a date as YYYY-MM-DD", found)
        case "text":
            yield from _check_text(path, field, op, value, kind)
        case "any" if op in _ORDER and type(value) is bool:
            yield Problem(path, "a number or text, because true and false have no order", found)
        case _:
            pass


def _check_text(path: str, field: str, op: str, value: Any, kind: ValueKind) -> Iterator[Problem]:
    found = shown(value)
    if type(value) is not str:
        quoted = f'"{value}"' if type(value) in (int, float) else ""
        yield Problem(path, f"text, because {field} is text", found, quoted)
    elif kind.words is not None:
        if value not in kind.words and op in ("eq", "ne"):
            names = ", ".join(sorted(kind.words)) or "(there are none)"
            yield Problem(path, f"one of {kind.what} {names}", found, nearest(value, kind.words))
    elif field == "event.currency" and op in ("eq", "ne"):
        if _CURRENCY.fullmatch(value) is None:
            hint = value.upper() if _CURRENCY.fullmatch(value.upper()) else ""
            yield Problem(path, "an ISO 4217 code of three capital letters", found, hint)
    elif field == "profile.timezone" and op in ("eq", "ne") and not _is_zone(value):
        yield Problem(path, "an IANA time zone", found)
    elif kind.is_never_empty and value == "" and op in ("eq", "ne"):
        expected = f"text, because {field} is missing when it is empty: use op exists"
        yield Problem(path, expected, found)
    elif _FIELD_PATH.fullmatch(value) and op in _ORDER:
        expected = f"a value, or another field as {{field: {value}}}"
        yield Problem(path, expected, found, f"{{field: {value}}}")


def _check_range(
    path: str, field: str, op: str, value: float, kind: ValueKind
) -> Iterator[Problem]:
    """A number that the field can have, and one that does not let every value through."""
    least, most = kind.least, kind.most
    low = float("-inf") if least is None else least
    high = float("inf") if most is None else most
    if kind.is_whole and op in ("eq", "ne") and value != int(value):
        yield Problem(path, f"a whole number, because {field} is one", shown(value))
        return
    never = {
        "eq": not low <= value <= high,
        "ne": not low <= value <= high,
        "gt": value >= high,
        "gte": value > high,
        "lt": value <= low,
        "lte": value < low,
    }[op]
    always = kind.is_always_there and {
        "gt": value < low,
        "gte": value <= low,
        "lt": value > high,
        "lte": value >= high,
    }.get(op, False)
    if never or always:
        bounds = f"{low:g} or more" if most is None else f"from {low:g} to {high:g}"
        holds = "always" if always or op == "ne" else "never"
        expected = f"another number, because {field} is {bounds}: this {holds} holds"
        yield Problem(path, expected, f"{op} {shown(value)}")


def _can(op: str, kind: ValueKind) -> bool:
    if kind.name == "any":
        return True
    if kind.name == "object":
        return False
    if kind.name == "list":
        return op == "contains"
    if op == "contains":
        return kind.name == "text" and kind.words is None
    return not (kind.name == "flag" and op in _ORDER)


def _ops_of(kind: ValueKind) -> str:
    match kind.name:
        case "object":
            return "exists"
        case "list":
            return "contains or exists"
        case "flag":
            return "eq, ne, in, not_in or exists"
        case "text" if kind.words is None:
            return "eq, ne, gt, gte, lt, lte, in, not_in, contains or exists"
        case "instant":
            return "eq, ne, gt, gte, lt, lte, in, not_in, older_than or exists"
    return "eq, ne, gt, gte, lt, lte, in, not_in or exists"


def _op_hint(op: str, kind: ValueKind) -> str:
    if kind.name == "list":
        return "contains"
    return "eq" if op == "contains" else ""


def _number_hint(value: object) -> str:
    if isinstance(value, str):
        if _NUMBER.fullmatch(value):
            return f"{value} without quotes"
        if _FIELD_PATH.fullmatch(value):
            return f"{{field: {value}}}"
        if value.endswith("%") and _NUMBER.fullmatch(value[:-1]):
            return f"{{field: ..., times: {float(value[:-1]) / 100:g}}}"
    return ""


def _flag_hint(value: object) -> str:
    text = str(value).casefold()
    return "true" if text in _TRUE else "false" if text in _FALSE else ""


def _is_instant(value: object) -> bool:
    if type(value) is int:
        return True
    try:
        parse_rfc3339(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return True


def _is_date(value: object, *, may_be_yearly: bool) -> bool:
    """A birthday alone may be without a year, and then has no place in an order."""
    return (parse_yearly(value) if may_be_yearly else parse_date(value)) is not None


def _is_zone(value: str) -> bool:
    try:
        zone(value)
    except ValueError:
        return False
    return True


def _is_duration(value: object) -> bool:
    try:
        return isinstance(value, str) and parse_duration_ms(value) > 0
    except ValueError:
        return False


def _found(leaf: Document) -> str:
    return shown(leaf["value"]) if "value" in leaf else "nothing"
