"""Where a line has what the engine calls ``type`` or ``data.value``, in whichever spelling.

A line is an event (``{"topic", "event_id", ...}``) or a record (``{"topic", "key", "value"}``); the
record's value is the plain envelope, a CloudEvent, or (binary mode) a CloudEvent's data.
"""

from typing import Any, Final, Literal

import orjson

from app.core.events import MAX_CUSTOMER_ID_CHARS, MAX_VALUE_BYTES, PROFILES
from app.formats.decode import CLOUD_EVENT_ATTRIBUTES, is_binary, is_structured
from app.formats.event_lines import is_record
from app.publish.lines import RECORD_FIELDS

Line = dict[str, Any]
Spelling = Literal["plain", "structured", "binary"]

_FIELDS: Final = {attribute: field for field, attribute in CLOUD_EVENT_ATTRIBUTES.items()}
#: What is put where something was wrong, so that the rest can be looked at.
_STAND_INS: Final[dict[str, Any]] = {
    "event_id": "x",
    "type": "x",
    "customer_id": "x",
    "occurred_at": "2026-01-01T00:00:00Z",
    "data": {},
    "specversion": "1.0",
}
#: These need not be there at all.
_OPTIONAL: Final = frozenset({"timestamp", "arrived_at", "headers"})


class Place:
    """A place in a line: what it is called there, what it holds, and how it is made right."""

    def __init__(self, line: Line, folder: Any, name: str, shown: str) -> None:
        self._line = line
        self._folder = folder
        self._name = name
        self.shown = shown

    def value(self) -> Any:
        """What is there; None when nothing is."""
        return self._folder.get(self._name) if isinstance(self._folder, dict) else None

    def mend(self) -> bool:
        """Put something acceptable there; False when that cannot be done."""
        folder, name = self._folder, self._name
        if not isinstance(folder, dict):
            return False
        if folder is data_of(self._line)[0]:
            return _mend_data(folder, name)
        attribute = name.removeprefix("ce_")
        field = _FIELDS.get(attribute, attribute)
        if name == "key":
            customer = find_place(self._line, "customer_id").value()
            folder[name] = customer if isinstance(customer, str) and customer else "x"
        elif name in _OPTIONAL:
            folder.pop(name, None)
        elif field == "customer_id":
            folder[name] = self._mended_key()
        elif field == "type" and self._line.get("topic") == PROFILES:
            folder[name] = "profile_updated"
        elif field in _STAND_INS:
            folder[name] = _STAND_INS[field]
        else:
            return False
        return True

    def _mended_key(self) -> str:
        """The key, with which the customer id has to agree; made right when it is none either."""
        key = self._line.get("key")
        if isinstance(key, str) and 0 < len(key) <= MAX_CUSTOMER_ID_CHARS:
            return key
        if key is not None:
            self._line["key"] = _STAND_INS["customer_id"]
        return str(_STAND_INS["customer_id"])


def _mend_data(data: Line, name: str) -> bool:
    """A profile field may be left out; a key that a rule needs may not."""
    if name in data and not name.endswith("_id"):
        del data[name]
    else:
        data[name] = "x"
    return True


def lighten(line: Line) -> bool:
    """Take the largest fields of the event's data away, until a value is not too large any more;
    False when that is not what makes it so.
    """
    data, _ = data_of(line)
    if not isinstance(data, dict):
        return False
    sizes = {name: len(orjson.dumps(value)) for name, value in data.items()}
    left = len(orjson.dumps(line.get("value", line)))
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if left <= MAX_VALUE_BYTES:
            break
        left -= sizes[name]
        del data[name]
    return left <= MAX_VALUE_BYTES


def find_place(line: Line, path: str) -> Place:
    """The place that the engine means by ``path``."""
    folder, _, name = path.rpartition(".")
    if folder == "data":
        data, shown = data_of(line)
        return Place(line, data, name, f"{shown}.{name}")
    if not is_record(line) or path in RECORD_FIELDS:
        return Place(line, line, path, path)
    match spelling_of(line):
        case "plain":
            return Place(line, line["value"], path, f"value.{path}")
        case "structured":
            attribute = CLOUD_EVENT_ATTRIBUTES.get(path, path)
            return Place(line, line["value"], attribute, f"value.{attribute}")
        case "binary":
            attribute = CLOUD_EVENT_ATTRIBUTES.get(path, path)
            if attribute == "data":
                return Place(line, line, "value", "value")
            name = f"ce_{attribute}"
            return Place(line, line["headers"], name, f"headers.{name}")


def spelling_of(line: Line) -> Spelling:
    """The form in which the line's event is written, as the codec recognises it."""
    headers = line.get("headers")
    if not is_record(line) or not isinstance(headers, dict):
        return "plain"
    texts = {name.lower(): text for name, text in headers.items() if isinstance(text, str)}
    if is_structured(texts):
        return "structured"
    return "binary" if is_binary(texts) else "plain"


def data_of(line: Line) -> tuple[Any, str]:
    """The event's data and what it is called in the line."""
    if not is_record(line):
        return line.get("data"), "data"
    value = line["value"]
    if spelling_of(line) == "binary":
        return value, "value"
    return value.get("data") if isinstance(value, dict) else None, "value.data"
