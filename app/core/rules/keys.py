"""The keys of instances: the data fields that distinguish instances of one trigger."""

import json
from dataclasses import dataclass
from itertools import product
from typing import Any


def key_of(data: dict[str, Any], field: str) -> str | None:
    """The key in a data field: text that is not empty, or an integer; None when it is neither."""
    value = data.get(field)
    if type(value) is str:
        return value or None
    return str(value) if type(value) is int else None


@dataclass(frozen=True, slots=True)
class Key:
    """The data fields of a trigger's key.

    A key of one field is its text. With ``is_list`` it is the compact JSON array of the texts of
    all fields: ``["s1","a"]``.
    """

    fields: tuple[str, ...]
    is_list: bool

    def of(self, data: dict[str, Any]) -> str | None:
        """The key that an event carries; None when any part of it is missing."""
        if not self.is_list:
            return key_of(data, self.fields[0])
        parts = [key_of(data, field) for field in self.fields]
        return None if None in parts else _text(parts)

    def pattern_of(self, data: dict[str, Any]) -> str | None:
        """What a cancel event names: a key, or one in which ``null`` stands for a part that it does
        not carry; None when it carries no part, and so means all keys.
        """
        if not self.is_list:
            return key_of(data, self.fields[0])
        parts = [key_of(data, field) for field in self.fields]
        return None if parts.count(None) == len(parts) else _text(parts)

    def covers(self, pattern: str, key: str) -> bool:
        """Whether a pattern names the key."""
        if pattern == key or not self.is_list:
            return pattern == key
        named, parts = _parts(pattern), _parts(key)
        return len(named) == len(parts) and all(
            part is None or part == other for part, other in zip(named, parts, strict=True)
        )

    def patterns_over(self, key: str) -> list[str]:
        """Every pattern that names the key, the key itself first."""
        if not self.is_list:
            return [key]
        parts = _parts(key)
        choices = product(*((part, None) for part in parts))
        return [_text(chosen) for chosen in choices if any(part is not None for part in chosen)]


def _text(parts: list[str | None] | tuple[str | None, ...]) -> str:
    return json.dumps(parts, separators=(",", ":"), ensure_ascii=False)


def _parts(text: str) -> list[str | None]:
    """The parts of a key. One that older rules wrote, with another key, has a single part."""
    try:
        parts = json.loads(text)
    except ValueError:
        return [text]
    return parts if isinstance(parts, list) else [text]


def compile_key(value: str | list[str]) -> Key:
    """The ``key`` of a rules document: a data field, or a list of them."""
    if isinstance(value, str):
        return Key((value,), is_list=False)
    return Key(tuple(value), is_list=True)
