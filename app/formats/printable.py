"""Text from outside made harmless for a terminal."""

import re
from typing import Any, Final, TextIO

#: All control characters but newline and tab; among them ESC, and CSI as one character.
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
#: Colours and weights: all that the tables of reports use.
_STYLED: Final = re.compile("(\x1b\\[[0-9;]*m)")


def printable(text: str) -> str:
    """Return the text with each control character as ``\\u001b``, which is also JSON's escape."""
    return text if text.isprintable() else _CONTROL.sub(_escape, text)


def printable_line(text: str) -> str:
    """The same for what must stay one line: newlines are escaped as well."""
    return printable(text).replace("\n", "\\n")


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


class PrintableStream:
    """A text stream whose writes are made ``printable`` first; all else is the stream's own.

    ``has_styles`` lets colours through, for the tables of reports.
    """

    def __init__(self, stream: TextIO, *, has_styles: bool = False) -> None:
        self._stream = stream
        self._has_styles = has_styles

    def write(self, text: str) -> int:
        if not self._has_styles:
            return self._stream.write(printable(text))
        parts = _STYLED.split(text)
        parts[::2] = map(printable, parts[::2])
        return self._stream.write("".join(parts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
