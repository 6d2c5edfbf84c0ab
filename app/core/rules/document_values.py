"""Values of a rules document as the rules need them."""

from collections.abc import Mapping
from typing import Any, Final

#: ``once: key``, ``limit: {each: key}``: instances of one key count, not of all together.
BY_KEY: Final = "key"


def types_of(value: str | list[str]) -> tuple[str, ...]:
    """One event type or a list of them, without repeats."""
    return (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))


def cancel_items_of(trigger: Mapping[str, Any]) -> list[Any]:
    """The items of ``cancel``: each an event type, or ``{on, when}``."""
    value = trigger.get("cancel", [])
    return [value] if isinstance(value, str | Mapping) else value


def cancel_types_of(trigger: Mapping[str, Any]) -> tuple[str, ...]:
    """The event types that may cancel, with a condition or without."""
    items = cancel_items_of(trigger)
    return types_of([name for item in items for name in _cancel_types(item)])


def _cancel_types(item: Any) -> tuple[str, ...]:
    return types_of(item["on"]) if isinstance(item, Mapping) else (item,)


def minute_of_day(text: str) -> int:
    """Minutes past midnight in ``HH:MM``, up to ``24:00``."""
    return int(text[:2]) * 60 + int(text[3:])


def opening_types_of(trigger: Mapping[str, Any]) -> tuple[str, ...]:
    """The event types that can open, or move, an instance of a trigger of the document."""
    named = [
        name for field in ("on", "start", "since") for name in types_of(trigger.get(field, []))
    ]
    counted = [trigger[field].partition(".")[0] for field in ("count", "sum") if field in trigger]
    return tuple(dict.fromkeys([*named, *counted]))
