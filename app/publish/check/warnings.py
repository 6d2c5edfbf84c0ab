"""What in a line is accepted and yet surely not meant: unknown types and fields, values
that no rule can use, a record without its key.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import jsonschema
import orjson

from app.contracts import Schema
from app.contracts.fields import DECLARED, ENGINE_FIELDS, INSTANT, READ, readable
from app.core.customer.addresses import ADDRESS_FIELDS, NotAnAddressError, read_address
from app.core.customer.limits import MAX_ITEMS_BYTES, MAX_TEXT_CHARS
from app.core.customer.profile import PROFILE_FIELDS, unknown_channels
from app.core.customer.suppression import address_in
from app.core.events import ITEMS, MERGE, PROFILES, FieldType
from app.core.rules.model import Rules
from app.formats.decode import CLOUD_EVENT_ATTRIBUTES
from app.formats.event_lines import LINE_FIELDS, is_record
from app.publish.check.places import Line, data_of, find_place, spelling_of
from app.publish.check.remarks import Remark, described

_ENVELOPE: Final = frozenset(CLOUD_EVENT_ATTRIBUTES)
_WORDS: Final = {
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "an array",
}
#: What is of use only for the message that it names.
_ANSWERS: Final = frozenset({"message_delivered", "message_opened", "message_clicked"})
#: What looks like the name of a channel, and not like an address.
_NAME: Final = re.compile(r"[A-Za-z_ -]{1,32}")
_USELESS: Final = "rules can do nothing with it"


def warnings(line: Line, rules: Rules) -> Iterator[Remark]:
    """Everything of a line that is of no use as it is."""
    topic = line.get("topic")
    types = rules.taxonomy.types
    if not isinstance(topic, str) or topic not in types:
        return
    if line.get("value") is not None and line.get("key") is None:
        yield Remark("warning", "key", "the customer_id, or the record takes a detour", "nothing")
    if spelling_of(line) == "plain":
        yield from _envelope(line)
    place = find_place(line, "type")
    name = place.value()
    if not isinstance(name, str) or not name:
        return
    if name not in types[topic]:
        expected = _types(topic, name, rules)
        yield Remark("warning", place.shown, expected, described(place.shown, name))
        return
    data, shown = data_of(line)
    if isinstance(data, dict):
        yield from _data(topic, name, data, shown, rules)
        yield from _pointless(line, name, data, shown)


def _pointless(line: Line, name: str, data: Line, shown: str) -> Iterator[Remark]:
    """An answer to no message, and a customer who is merged into themselves."""
    if name in _ANSWERS and data.get("request_id") is None:
        expected = "the request_id of the message; without it no report and no limit counts it"
        yield Remark("warning", f"{shown}.request_id", expected, "nothing")
    if name == MERGE and data.get("into") == find_place(line, "customer_id").value():
        expected = "another customer; merged into themselves they stay as they are"
        yield Remark("warning", f"{shown}.into", expected, "the same")


def _envelope(line: Line) -> Iterator[Remark]:
    """Fields that are not known; a CloudEvent may have extensions."""
    in_record = is_record(line)
    envelope = line["value"] if in_record else line
    if not isinstance(envelope, dict):
        return
    prefix = "value." if in_record else ""
    allowed = _ENVELOPE if in_record else _ENVELOPE | LINE_FIELDS
    for name in sorted(envelope.keys() - allowed):
        close = _ENVELOPE - envelope.keys() or _ENVELOPE
        yield _unknown(f"{prefix}{name}", name, envelope[name], close)


def _types(topic: str, name: str, rules: Rules) -> str:
    """What may have been meant; the event is ignored."""
    types = rules.taxonomy.types
    for other, names in types.items():
        if name in names:
            return f"a type of {topic}, which this is not but one of {other}; it is ignored"
    close = difflib.get_close_matches(name, types[topic], n=1)
    hint = f", such as {close[0]}" if close else ""
    return f"a type of {topic}{hint}; it is ignored"


def _data(topic: str, name: str, data: Line, shown: str, rules: Rules) -> Iterator[Remark]:
    schemas = readable(rules.taxonomy, topic, name)
    schemas |= {field: schema for field, (schema, _) in ENGINE_FIELDS.get(name, {}).items()}
    known = PROFILE_FIELDS if topic == PROFILES else frozenset(schemas)
    if name == MERGE:
        known = frozenset({"into"})
    for field in sorted(data.keys() - known):
        yield _unknown(f"{shown}.{field}", field, data[field], known)
    if topic == PROFILES:
        for field, channel in unknown_channels(data, rules.feedback):
            yield _unknown_channel(f"{shown}.{field}", channel, rules)
        yield from _addresses(data, shown, rules)
        return
    for field in sorted(data.keys() & known):
        yield from _useless(f"{shown}.{field}", schemas[field], data[field])
    yield from _many_items(name, data, shown, rules)
    currency = data.get("currency")
    is_foreign = rules.currency is not None and currency not in (None, rules.currency)
    kinds = rules.taxonomy.fields
    if is_foreign and any(kinds.get(field) is FieldType.MONEY for field in data.keys() & known):
        expected = f"{rules.currency}, as the rules; money in another counts as missing"
        path = f"{shown}.currency"
        yield Remark("warning", path, expected, described(path, currency))


def _useless(path: str, schema: Schema, value: Any) -> Iterator[Remark]:
    if value is None:
        return
    if not jsonschema.Draft7Validator(schema).is_valid(value):
        kinds = schema.get("type", [])
        expected = " or ".join(
            _WORDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)
        )
        if schema is READ["currency"][0]:
            expected = "an ISO 4217 code"
        elif schema is DECLARED[FieldType.DATE]:
            expected = "a date, YYYY-MM-DD"
        elif schema is INSTANT:
            expected = "a time, RFC 3339 with an offset or epoch milliseconds"
        yield Remark("warning", path, f"{expected}; {_USELESS}", described(path, value))
    elif isinstance(value, str) and len(value) > MAX_TEXT_CHARS:
        expected = f"text of at most {MAX_TEXT_CHARS} characters; {_USELESS}"
        yield Remark("warning", path, expected, described("", value))


def _addresses(data: Line, shown: str, rules: Rules) -> Iterator[Remark]:
    """What is given as an address and can be none; others than these are refused as errors."""
    if not isinstance(data.get("attributes", {}), dict):
        return
    for field in sorted(ADDRESS_FIELDS.union(rules.feedback.fields.values())):
        value = address_in(data, field)
        try:
            address = read_address(value)
        except NotAnAddressError:
            continue
        path = f"{shown}.{field}"
        if address is None and value is not None:
            expected = "an address, or null for none; it counts as none"
            yield Remark("warning", path, expected, described("", value))
        elif address is not None and field == "email" and "@" not in address:
            expected = "an e-mail address, with @; messages go to it as it is"
            yield Remark("warning", path, expected, described("", value))


def _many_items(name: str, data: Line, shown: str, rules: Rules) -> Iterator[Remark]:
    """More items than an instance of a trigger that reads them keeps."""
    items = data.get(ITEMS)
    if not isinstance(items, list) or len(orjson.dumps(items)) <= MAX_ITEMS_BYTES:
        return
    triggers = rules.triggers.values()
    if any(trigger.keeps_items and name in trigger.kind.types for trigger in triggers):
        expected = f"at most {MAX_ITEMS_BYTES} bytes; rules and messages get the first that fit"
        yield Remark("warning", f"{shown}.{ITEMS}", expected, described("", items))


def _unknown_channel(path: str, name: str, rules: Rules) -> Remark:
    known = ", ".join(sorted(rules.channels))
    found = repr(name) if _NAME.fullmatch(name) else described("", name)
    return Remark("warning", path, f"channels of the rules ({known}); it is left out", found)


def _unknown(path: str, name: str, value: Any, known: Iterable[str]) -> Remark:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    hint = f", such as {close[0]}" if close else ""
    return Remark("warning", path, f"a known field{hint}; it is not kept", described("", value))
