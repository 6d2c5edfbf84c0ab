"""Files of JSON lines: plain or gzip, or standard input, in bounded memory."""

import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

from app.core.errors import ConfigError
from app.core.events import MAX_VALUE_BYTES
from app.formats.file_kind import what_instead

_GZIP_MAGIC: Final = b"\x1f\x8b"
_BUFFER_BYTES: Final = 1 << 18
_BOM: Final = b"\xef\xbb\xbf"

#: No record that is accepted needs a longer line, even with every character escaped.
MAX_LINE_BYTES: Final = 8 * MAX_VALUE_BYTES

#: Stands for standard input.
STDIN: Final = "-"


class LineReader:
    """The lines of one file, once, without their line ends. Use it with ``with``.

    Blank lines come too (as ``b""``), so that counting gives line numbers. Of a line longer than
    MAX_LINE_BYTES the first MAX_LINE_BYTES + 1 bytes come: enough to see that it is too long.
    """

    def __init__(self, path: str | Path) -> None:
        self.name = "standard input" if str(path) == STDIN else str(path)
        self._is_stdin = str(path) == STDIN
        try:
            self._raw = _open(path, is_stdin=self._is_stdin)
        except OSError as exc:
            raise _unreadable(self.name, exc) from exc
        self._lines = self._raw
        self._read_bytes = 0
        #: size of the file as stored, for progress; None when it cannot be known
        self.total_bytes: int | None = None
        try:
            if not self._is_stdin:
                self.total_bytes = os.fstat(self._raw.fileno()).st_size
            if self._raw.peek(2)[:2] == _GZIP_MAGIC:
                unzipped = gzip.GzipFile(fileobj=self._raw)
                self._lines = io.BufferedReader(cast(io.RawIOBase, unzipped), _BUFFER_BYTES)
        except OSError as exc:
            self.close()
            raise _unreadable(self.name, exc) from exc

    @property
    def read_bytes(self) -> int:
        """How much of ``total_bytes`` has been read; of standard input, how much came out."""
        return self._read_bytes if self._is_stdin else self._raw.tell()

    def __iter__(self) -> Iterator[bytes]:
        """Raises ConfigError when the file begins as another kind of file does, or cannot be read
        on, naming it and the line.
        """
        self._check_kind()
        number = 0
        limit = MAX_LINE_BYTES + 2
        readline = self._lines.readline
        try:
            for line in iter(partial(readline, limit), b""):
                number += 1
                self._read_bytes += len(line)
                if number == 1 and line.startswith(_BOM):
                    line = line[len(_BOM) :]
                if len(line) == limit and not line.endswith(b"\n"):
                    while len(rest := readline(limit)) == limit and not rest.endswith(b"\n"):
                        self._read_bytes += len(rest)
                    yield line[: MAX_LINE_BYTES + 1]
                else:
                    yield line.rstrip(b"\r\n")
        except (OSError, EOFError, zlib.error) as exc:
            raise _unreadable(f"{self.name}, after line {number}", exc) from exc

    def _check_kind(self) -> None:
        try:
            head = self._lines.peek(_BUFFER_BYTES)
        except (OSError, EOFError, zlib.error):
            return  # reading reports it with its line
        instead = what_instead(head.removeprefix(_BOM))
        if instead is not None:
            raise ConfigError(f"{self.name}: expected JSON lines, got {instead}")

    def close(self) -> None:
        """Give the file back; standard input stays open."""
        if not self._is_stdin:
            self._lines.close()
            self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_lines(path: str | Path) -> LineReader:
    """The lines of ``path``, gzip or not by its first bytes; ``-`` is standard input.

    Raises ConfigError when it cannot be opened.
    """
    return LineReader(path)


def can_be_read_twice(path: str | Path) -> bool:
    """Whether ``path`` gives the same lines again: standard input and pipes do not."""
    return str(path) != STDIN and Path(path).is_file()


def _open(path: str | Path, *, is_stdin: bool) -> io.BufferedReader:
    if is_stdin:
        return cast(io.BufferedReader, sys.stdin.buffer)
    return io.BufferedReader(io.FileIO(path), _BUFFER_BYTES)


def _unreadable(where: str, exc: Exception) -> ConfigError:
    reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return ConfigError(f"{where}: cannot be read: {reason}")
