"""One finding about a line, and its text."""

from typing import Any, Final, Literal

import msgspec

#: Of these the value itself is shown: they say nothing about a person.
_OPEN: Final = frozenset(
    [
        "topic",
        "type",
        "occurred_at",
        "time",
        "timestamp",
        "arrived_at",
        "specversion",
        "content-type",
        "timezone",
        "currency",
    ]
)
_SHOWN_CHARS: Final = 48


class Remark(msgspec.Struct, frozen=True):
    """Where it is in the line, what was expected and what was found there."""

    level: Literal["error", "warning"]
    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{self.level}: {place}expected {self.expected}, found {self.found}"


def described(path: str, value: Any) -> str:
    """What was found, by its type; the value itself only where it cannot be personal."""
    is_open = path.rpartition(".")[2].removeprefix("ce_") in _OPEN
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return repr(value[:_SHOWN_CHARS]) if is_open else f"text of {len(value)} characters"
        case int() | float():
            return str(value) if is_open else "a number"
        case list():
            return "an array"
        case _:
            return "an object"
