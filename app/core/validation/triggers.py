"""What can be wrong with who enters a trigger, what ends it and how its steps follow each other."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from app.core.events import FieldType
from app.core.rules.document_values import (
    BY_KEY,
    cancel_items_of,
    opening_types_of,
    types_of,
)
from app.core.validation.conditions import (
    Known,
    check_condition,
    check_field,
    check_type,
    known_for,
)
from app.core.validation.problems import Problem, check_positive, nearest, shown

Document = Mapping[str, Any]

#: No value of these types can be a key.
_NO_KEYS: Final = frozenset({FieldType.FLAG, FieldType.ITEMS})


def check_cancels(
    path: str, trigger: Document, openers: set[str], known: Known
) -> Iterator[Problem]:
    """A type that opens the trigger may cancel it only under a condition."""
    for index, item in enumerate(cancel_items_of(trigger)):
        item_path = f"{path}.cancel[{index}]"
        if isinstance(item, str):
            yield from check_type(item_path, item, known)
            if item in openers:
                expected = "a type that does not open the trigger too, or {on, when}"
                yield Problem(item_path, expected, repr(item))
            continue
        for name in types_of(item["on"]):
            yield from check_type(f"{item_path}.on", name, known)
        about = known_for(known, types_of(item["on"]))
        yield from check_condition(f"{item_path}.when", item["when"], about)


def check_key(path: str, trigger: Document, known: Known) -> Iterator[Problem]:
    """Each part of the key must be a field of the events that open the trigger."""
    value = trigger.get("key", [])
    fields = known_for(known, opening_types_of(trigger)).event_fields or frozenset()
    types = known.kinds.taxonomy.fields
    for name in [value] if isinstance(value, str) else value:
        if name not in fields:
            expected = f"one of {', '.join(sorted(fields))}"
            yield Problem(f"{path}.key", expected, shown(name), nearest(str(name), fields))
        elif types.get(name) in _NO_KEYS:
            expected = "a field that is text or an integer, because nothing else is a key"
            yield Problem(f"{path}.key", expected, f"{name}, {types[name]}")


def check_entry(path: str, trigger: Document, known: Known) -> Iterator[Problem]:
    """``limit`` has a window, ``changed`` an update that can change the field."""
    if "limit" in trigger:
        yield from check_positive(f"{path}.limit.per", trigger["limit"]["per"])
    by_key = {"once": trigger.get("once"), "limit.each": trigger.get("limit", {}).get("each")}
    for name, value in by_key.items():
        if value == BY_KEY and "key" not in trigger:
            expected = (
                f"a `key` in the same trigger, because `{name}: {BY_KEY}` counts each by itself"
            )
            yield Problem(f"{path}.{name}", expected, "none")
    if "changed" in trigger:
        yield from check_field(f"{path}.changed", trigger["changed"], known)
        if types_of(trigger.get("on", [])) != ("profile_updated",):
            expected = (
                "on: [profile_updated] in the same trigger, because no other event changes a field"
            )
            yield Problem(f"{path}.changed", expected, f"on: {trigger.get('on')!r}")


def check_step_times(
    path: str, trigger: Document, step: Document, number: int
) -> Iterator[Problem]:
    """What a step's ``after``, ``before`` and ``from`` count from."""
    if "before" in step:
        if trigger["kind"] != "date":
            expected = "nothing here, because only a trigger of kind date knows what comes"
            yield Problem(f"{path}.before", expected, repr(step["before"]))
        for other in ("after", "from"):
            if other in step:
                expected = f"nothing here together with `{other}`: a step is before or after"
                yield Problem(f"{path}.before", expected, repr(step["before"]))
    follows = step.get("from")
    if follows is not None and follows["step"] >= number:
        expected = f"an earlier step, from 0 to {number - 1}" if number else "no `from` here"
        why = "" if number else ", because no step comes before the first"
        yield Problem(f"{path}.from.step", expected + why, repr(follows["step"]))
