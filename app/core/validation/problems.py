"""One thing wrong with a rules file, and the checks that several parts of it share."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from app.core.time.durations import parse_duration_ms

Document = Mapping[str, Any]


class Problem(msgspec.Struct, frozen=True, order=True):
    """One thing wrong with a rules file: where, what was expected, what was found."""

    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.path or '(the file)'}: expected {self.expected}, found {self.found}"


def check_channel(path: str, name: str, channels: Document) -> Iterator[Problem]:
    """The name must be one of the channels."""
    if name not in channels:
        yield Problem(path, f"one of the channels {', '.join(channels)}", repr(name))


def check_channels(path: str, body: Document, channels: Document) -> Iterator[Problem]:
    """So must each in the body's ``channels``."""
    if body["channels"] == "best":
        return
    for index, name in enumerate(body["channels"]):
        yield from check_channel(f"{path}.channels[{index}]", name, channels)


def check_positive(path: str, text: object) -> Iterator[Problem]:
    """The duration must be one."""
    if parse_duration_ms(text) == 0:
        yield Problem(path, "a duration longer than nothing", repr(text))
