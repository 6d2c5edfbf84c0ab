"""One thing wrong with a rules file, and the checks that several parts of it share."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from app.core.time.durations import parse_duration_ms

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with a rules file: where, what was expected, what was found, and what may
    have been meant (empty: no idea). ``line`` and ``column`` count from 1; 0: not known.
    """

    path: str
    expected: str
    found: str
    hint: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        where = f" (line {self.line}, column {self.column})" if self.line else ""
        meant = f"; did you mean {self.hint}?" if self.hint else ""
        path = self.path or "(the file)"
        return f"{path}: expected {self.expected}, found {self.found}{meant}{where}"


#: A longer integer cannot be written as decimal digits in time.
_LONGEST_BITS: Final = 1024
_SHOWN_CHARS: Final = 80


def shown(value: object) -> str:
    """A value of the document in one short line."""
    if type(value) is int and value.bit_length() > _LONGEST_BITS:
        return f"an integer of {value.bit_length()} bits"
    text = "null" if value is None else repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 3]}..."


def nearest(name: str, names: Iterable[str]) -> str:
    """The name that was most likely meant; empty when none is near."""
    by_folded = {each.casefold(): each for each in sorted(names)}
    close = get_close_matches(name.casefold(), by_folded, n=1)
    return by_folded[close[0]] if close else ""


def check_channel(path: str, name: str, channels: Document) -> Iterator[Problem]:
    """The name must be one of the channels."""
    if name not in channels:
        expected = f"one of the channels {', '.join(channels)}"
        yield Problem(path, expected, shown(name), nearest(str(name), channels))


def check_channels(path: str, body: Document, channels: Document) -> Iterator[Problem]:
    """So must each in the body's ``channels``, when these are a list: the schema says the rest."""
    if isinstance(body["channels"], str):
        return
    for index, name in enumerate(body["channels"]):
        yield from check_channel(f"{path}.channels[{index}]", name, channels)


def check_positive(path: str, text: object) -> Iterator[Problem]:
    """The duration must be one."""
    if parse_duration_ms(text) == 0:
        yield Problem(path, "a duration longer than nothing", repr(text))
