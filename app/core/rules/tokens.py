"""Tokens: the values that go with a send request for the template to use.

A token is a field path, with a fallback or none: ``profile.first_name | default: "there"``. The
fallback is text in double quotes (with the escapes of JSON, \\u aside) or single quotes (as it
is), or a number; it takes the place of a value that is missing, null or empty text.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from app.core.customer.record import Customer
from app.core.rules.conditions import Facts, Getter, compile_field
from app.core.time.instants import format_rfc3339

_TOKEN: Final = re.compile(r"(?P<path>[^ |]+)(?: *\| *default: *(?P<fallback>.+))?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token: ``value`` is what the send request says."""

    name: str
    value: Getter


def path_of(text: str) -> str:
    """The field path of a token. Raises ValueError for one that the schema refuses."""
    return _parts(text)["path"]


def compile_token(name: str, text: str, facts: Facts) -> Token:
    """The token that the schema has accepted."""
    match = _parts(text)
    fallback = match["fallback"]
    value = compile_field(match["path"], facts)
    if match["path"] in facts.instants:
        value = _as_rfc3339(value)
    return Token(name=name, value=value if fallback is None else _or(value, _literal(fallback)))


def _as_rfc3339(get: Getter) -> Getter:
    """Instants as RFC 3339; what is missing, null or empty text stays."""

    def value(data: dict[str, Any], customer: Customer, now_ms: int) -> Any:
        got = get(data, customer, now_ms)
        if got is None or got == "":
            return got
        return [format_rfc3339(each) for each in got] if type(got) is list else format_rfc3339(got)

    return value


def _or(get: Getter, fallback: str | int | float) -> Getter:
    def value(data: dict[str, Any], customer: Customer, now_ms: int) -> Any:
        got = get(data, customer, now_ms)
        return fallback if got is None or got == "" else got

    return value


def _parts(text: str) -> re.Match[str]:
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise ValueError(f"expected the path of a field, got {text!r}")
    return match


def _literal(text: str) -> str | int | float:
    if text.startswith("'"):
        return text[1:-1]
    value: str | int | float = msgspec.json.decode(text.encode(errors="surrogatepass"))
    return value
