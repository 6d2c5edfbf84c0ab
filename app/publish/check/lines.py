"""Every problem of every line, found by asking the engine itself.

A line has an error exactly when publishing it would fail, or make a dead letter under these rules.
The engine names one problem at a time: the place that it names is mended in a copy of the line, and
it is asked again, until it has nothing more to say.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
import orjson

from app.backtest.history import read_arrival, review_arrival
from app.backtest.history_review import HistoryReview
from app.core.decisions import Decision
from app.core.engine import Engine
from app.core.errors import EventError
from app.core.rules.model import Rules
from app.formats.decode import Erasure, decode_record
from app.formats.event_lines import is_record
from app.publish.check.places import find_place, lighten
from app.publish.check.remarks import Remark, described
from app.publish.check.warnings import warnings
from app.publish.lines import RECORD_FIELDS, Timestamps, outgoing
from tables.in_memory import InMemoryCustomers

#: The engine's texts: ``path: expected this, got that; nothing was applied``, all but "this" absent
#: at times.
_TEXT: Final = re.compile(
    r"(?:(?P<path>[\w.-]+): )?(?:expected )?(?P<expected>.*?)"
    r"(?:, got (?P<got>.*?))?(?:; (?:data\.|nothing ).*)?",
    re.DOTALL,
)
_TOO_LARGE: Final = "expected a value of at most"
_NAME_CHARS: Final = 64


class Checked(msgspec.Struct, frozen=True):
    """A line by its number, from 1, and what there is to say about it."""

    number: int
    #: ``topic/type``, as far as the line says
    event: str
    remarks: list[Remark]


def check_lines(
    lines: Iterable[bytes],
    rules: Rules,
    timestamps: Timestamps = "now",
    review: HistoryReview | None = None,
) -> Iterator[Checked]:
    """Every line that is not blank; ``review`` looks at them as a whole."""
    for number, line in enumerate(lines, 1):
        if line and not line.isspace():
            if review is not None:
                review_arrival(review, read_arrival(line, number))
            yield Checked(number, _event(line), check_line(line, rules, timestamps))


def check_line(line: bytes, rules: Rules, timestamps: Timestamps = "now") -> list[Remark]:
    """Every error of the line by its path, then what is accepted and of no use."""
    text = _refusal(line, rules, timestamps)
    obj = _object(line)
    if obj is None:
        assert text is not None
        return [_error("", text, None)]
    found = sorted(_errors(obj, rules, timestamps), key=lambda each: each.path) if text else []
    return found + list(warnings(_object(line) or {}, rules))


def _errors(obj: dict[str, Any], rules: Rules, timestamps: Timestamps) -> Iterator[Remark]:
    """Each problem that the engine names, until it names none or one that cannot be mended.

    ``obj`` is mended on the way.
    """
    if is_record(obj):
        for name in sorted(obj.keys() - RECORD_FIELDS):
            known = ", ".join(sorted(RECORD_FIELDS))
            yield Remark("error", name, f"only {known}", described("", obj.pop(name)))
    seen: set[str] = set()
    while text := _refusal(orjson.dumps(obj), rules, timestamps):
        if text.startswith(_TOO_LARGE):
            yield _error("", text, None)
            if _TOO_LARGE in seen or not lighten(obj):
                return
            seen.add(_TOO_LARGE)
            continue
        match = _TEXT.fullmatch(text)
        path = match["path"] or "" if match else ""
        place = find_place(obj, path)
        if place.shown in seen:
            return
        seen.add(place.shown)
        yield _error(place.shown if path else "", text, place.value() if path else None)
        if not place.mend():
            return


def _refusal(line: bytes, rules: Rules, timestamps: Timestamps) -> str | None:
    """Why the line cannot be published, or would be a dead letter; None when all is well."""
    try:
        record = outgoing(line, timestamps, rules.plans)
        event = decode_record(record.topic, None, None, record.key, record.value, record.headers)
        if not isinstance(event, Erasure):
            task = Engine(rules, InMemoryCustomers(), _ignore)
            task.handle(event, event.occurred_ms, event.occurred_ms)
    except EventError as exc:
        return str(exc)
    return None


def _error(shown: str, text: str, value: Any) -> Remark:
    """The engine's text in its parts. Without a place, what was found is in its words."""
    match = _TEXT.fullmatch(text)
    assert match is not None
    found = described(shown, value) if shown else match["got"] or "another value"
    return Remark("error", shown, match["expected"], found)


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        obj = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return obj if isinstance(obj, dict) else None


def _event(line: bytes) -> str:
    obj = _object(line) or {}
    names = (obj.get("topic"), find_place(obj, "type").value())
    return "/".join(name[:_NAME_CHARS] if isinstance(name, str) else "?" for name in names)


def _ignore(_: Decision) -> None:
    """What would be decided does not matter here."""
