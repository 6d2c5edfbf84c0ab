"""Which event types there are, on which topics, with which fields: built in, and declared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from app.core.customer.limits import MAX_TEXT_CHARS
from app.core.customer.profile import parse_date
from app.core.errors import EventError
from app.core.events import (
    BOOKINGS,
    BUILT_IN_FIELDS,
    ENGAGEMENT,
    ORDERS,
    PROFILES,
    TYPES,
    FieldType,
    parse_instant,
)

Fields = Mapping[str, FieldType]
_FIELD_TYPES: Final = frozenset(FieldType)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy:
    """The input topics of a rules file with their types.

    Topics stand in the order in which records of one timestamp are handled.
    """

    #: topic -> type -> the fields declared for it, in addition to the built-in ones
    types: Mapping[str, Mapping[str, Fields]]
    #: every field of the file, with its only type
    fields: Fields

    @property
    def topics(self) -> tuple[str, ...]:
        """The logical names of all input topics."""
        return tuple(self.types)

    @property
    def topic_of(self) -> dict[str, str]:
        """type -> the topic that carries it."""
        return {name: topic for topic, names in self.types.items() for name in names}

    def fields_of(self, event_type: str) -> Fields:
        """The fields that events of the type may have: the built-in and the declared ones."""
        topic = self.topic_of.get(event_type)
        return {**BUILT_IN_FIELDS, **(self.types[topic][event_type] if topic else {})}


def declare(events: Any) -> Taxonomy:
    """The taxonomy with the types under ``events:``; what is not of its shape is left out."""
    declared: dict[str, dict[str, Fields]] = {}
    for topic, names in (events if isinstance(events, Mapping) else {}).items():
        own = declared.setdefault(topic, {})
        for name, fields in (names if isinstance(names, Mapping) else {}).items():
            own[name] = {
                field: FieldType(kind)
                for field, kind in (fields if isinstance(fields, Mapping) else {}).items()
                if isinstance(kind, str) and kind in _FIELD_TYPES
            }
    own_topics = sorted(declared.keys() - TYPES.keys())
    types = {
        topic: {**{name: {} for name in sorted(TYPES.get(topic, ()))}, **declared.get(topic, {})}
        for topic in (PROFILES, ORDERS, BOOKINGS, *own_topics, ENGAGEMENT)
    }
    fields = {
        field: kind
        for names in declared.values()
        for each in names.values()
        for field, kind in each.items()
    }
    return Taxonomy(types=types, fields={**fields, **BUILT_IN_FIELDS})


def _text(value: object) -> str | None:
    if type(value) is str:
        return value if len(value) <= MAX_TEXT_CHARS else None
    return str(value) if type(value) is int else None


def _number(value: object) -> int | float | None:
    if type(value) is float:
        return value if isfinite(value) else None
    return value if type(value) is int else None


def _time(value: object) -> int | None:
    try:
        return parse_instant(value, "")
    except EventError:
        return None


def _date(value: object) -> object:
    return value if parse_date(value) is not None else None


def _flag(value: object) -> bool | None:
    return value if type(value) is bool else None


def _items(value: object) -> list[Any] | None:
    return value if type(value) is list else None


Reader = Callable[[object], Any]
#: by type, a value as that type has it: None when it is not of the type. Times are epoch ms
READERS: Final[dict[FieldType, Reader]] = {
    FieldType.TEXT: _text,
    FieldType.NUMBER: _number,
    FieldType.MONEY: _number,
    FieldType.TIME: _time,
    FieldType.DATE: _date,
    FieldType.FLAG: _flag,
    FieldType.ITEMS: _items,
}
assert READERS.keys() == set(FieldType)
