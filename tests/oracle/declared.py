"""What a rules file declares under `events:`, in the oracle's naive way."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from tests.oracle.calendar import date_or_none, instant_or_none

Rules = Mapping[str, Any]

BUILT_IN = {
    **dict.fromkeys(("cart_id", "order_id", "booking_id", "session_id", "sku"), "text"),
    **dict.fromkeys(("category", "currency", "request_id", "channel", "theme"), "text"),
    **dict.fromkeys(("price", "value", "old_price", "new_price", "margin"), "money"),
    "items": "items",
    "on_time": "flag",
    "score": "number",
}


def types_on(rules: Rules, topic: str) -> list[str]:
    """The types that the file declares on the topic."""
    return list(rules.get("events", {}).get(topic, {}))


def fields_of(rules: Rules, topic: str, type_name: str) -> dict[str, str]:
    """The fields that the file declares for the type, with their types."""
    return dict(rules.get("events", {}).get(topic, {}).get(type_name) or {})


def field_types(rules: Rules) -> dict[str, str]:
    """Every field of the file, the built-in ones included."""
    found = dict(BUILT_IN)
    for topic, names in rules.get("events", {}).items():
        for name in names:
            found |= fields_of(rules, topic, name)
    return found


def as_declared(
    rules: Rules, topic: str, type_name: str, data: Mapping[str, Any]
) -> dict[str, Any]:
    """The data with the declared fields as their types have them; what is not of its type, or was
    declared for other types alone, is not there.
    """
    own = fields_of(rules, topic, type_name)
    foreign = field_types(rules).keys() - BUILT_IN.keys() - own.keys()
    found = {name: value for name, value in data.items() if name not in foreign}
    for name, kind in own.items():
        found[name] = typed(found.get(name), kind)
    return found


def typed(value: Any, kind: str | None) -> Any:
    """The value if it is of the type, else None; instants in epoch milliseconds."""
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    is_scalar = isinstance(value, str | int | float)
    found = {
        None: value if is_scalar else None,
        "text": str(value) if is_integer or isinstance(value, str) else None,
        "number": value if is_integer or (isinstance(value, float) and isfinite(value)) else None,
        "time": instant_or_none(value),
        "date": value if date_or_none(value) is not None else None,
        "flag": value if isinstance(value, bool) else None,
        "items": value if isinstance(value, list) else None,
    }
    return found["number" if kind == "money" else kind]
