"""The keys of instances: what of an event's data tells one instance of a trigger from another."""

from collections.abc import Mapping
from typing import Any


def key_of(data: Mapping[str, Any], field: str) -> str | None:
    """The key in a data field: text that is not empty, or an integer; None when it is neither."""
    value = data.get(field)
    if type(value) is str:
        return value or None
    return str(value) if type(value) is int else None
