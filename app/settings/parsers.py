"""How the text of one setting becomes its value.

Each parser raises ValueError with what it expected, in words that follow "expected".
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

_UNITS_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
#: What Kafka accepts in a topic name, a group id and an instance id alike.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
_SERVER = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_LONG_URL = re.compile(r"https?://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[^\s?#,@]*)?")
_URL = re.compile(r"https?://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?/?")


class Secret:
    """Text that does not show when printed, logged or compared in a failing test."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, for the client that has to send it."""
        return self._value

    def __repr__(self) -> str:
        return "'***'"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def read_secret_file(value: str) -> Secret:
    """The content of the file, without the line end that editors put there."""
    try:
        return Secret(Path(value).read_text(encoding="utf-8").rstrip("\r\n"))
    except (OSError, UnicodeDecodeError):
        raise ValueError("the path of a readable text file") from None


def read_token_file(value: str) -> Secret:
    """The same of a file that is not empty: an empty secret would open for an empty header."""
    found = read_secret_file(value)
    if not found.reveal():
        raise ValueError("the path of a file that is not empty")
    return found


def base_url(value: str) -> str:
    """``http://host[:port]``, or https; a slash at its end does not matter."""
    if not _URL.fullmatch(value):
        raise ValueError("http://host:port, or https, without a path")
    return value.rstrip("/")


def endpoint_url(value: str) -> str:
    """A URL as ``http_url`` takes it, kept to the letter: a slash at the end may matter."""
    http_url(value)
    return value


def readable_file(value: str) -> Path:
    """The path of a file that is there and may be read, as of now."""
    path = Path(value)
    try:
        with path.open("rb"):
            return path
    except OSError as exc:
        raise ValueError(f"the path of a readable file ({exc.strerror})") from None


def http_url(value: str) -> str:
    """``http://host[:port][/path]``, or https; credentials have variables of their own."""
    if not _LONG_URL.fullmatch(value):
        raise ValueError("http://host:port/path, or https, without user and query")
    return value.rstrip("/")


def http_urls(value: str) -> str:
    """Several of them, with commas between."""
    return ",".join(http_url(url.strip()) for url in value.split(","))


def duration_ms(value: str) -> int:
    """Milliseconds of ``500ms``, ``30s``, ``15m``, ``48h`` or ``10d``."""
    match = _DURATION.fullmatch(value)
    if match is None:
        raise ValueError("a duration such as 500ms, 30s, 15m, 48h or 10d")
    return int(match[1]) * _UNITS_MS[match[2]]


def duration_s(value: str) -> float:
    """The same in seconds."""
    return duration_ms(value) / 1000


def transaction_timeout(value: str) -> int:
    """Milliseconds of a duration that brokers accept for transactions, by default."""
    found = duration_ms(value)
    if not 1_000 <= found <= 900_000:
        raise ValueError("a duration from 1s to 15m")
    return found


def session_timeout(value: str) -> int:
    """Milliseconds of a duration with room for a dozen heartbeats that brokers may allow."""
    timeout_ms = duration_ms(value)
    if not 6_000 <= timeout_ms <= 1_800_000:
        raise ValueError("a duration from 6s to 30m")
    return timeout_ms


def choice(*options: str) -> Callable[[str], str]:
    """One of ``options``, whatever the case."""
    by_folded = {option.casefold(): option for option in options}

    def parse(value: str) -> str:
        try:
            return by_folded[value.casefold()]
        except KeyError:
            raise ValueError(f"one of {', '.join(options)}") from None

    return parse


def count(low: int, high: int) -> Callable[[str], int]:
    """A whole number within [low, high]."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not low <= int(value) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(value)

    return parse


def name(value: str) -> str:
    """A name that Kafka accepts."""
    if not _NAME.fullmatch(value):
        raise ValueError("1 to 200 of the characters a-z A-Z 0-9 . _ -")
    return value


def text(value: str) -> str:
    """Any text."""
    return value


def server_list(value: str) -> str:
    """``host:port[,host:port]...``, as Kafka clients take it."""
    for server in value.split(","):
        match = _SERVER.fullmatch(server.strip())
        if match is None or not 0 < int(match[2]) < 65_536:
            raise ValueError("host:port, or several with commas between them")
    return ",".join(server.strip() for server in value.split(","))


def duration_text(value_ms: int) -> str:
    """The shortest spelling that ``duration_ms`` reads back as the same."""
    for unit in ("d", "h", "m", "s"):
        if value_ms % _UNITS_MS[unit] == 0:
            return f"{value_ms // _UNITS_MS[unit]}{unit}"
    return f"{value_ms}ms"
