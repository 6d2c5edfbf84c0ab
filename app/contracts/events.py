"""The JSON Schema of each event type: it accepts what the engine accepts, and refuses what would
become a dead letter as far as a schema can say.

It cannot say: that 7.0 is no integer to the engine, that a zone does not exist, that the record's
key is another customer's, that a value is over 256 KiB. Some of it depends on the rules: channels,
and the key that a start of an abandonment must have.
"""

from app.contracts import DRAFT, Schema
from app.contracts.fields import EXAMPLES, HARD, READ, READS_AS
from app.contracts.patterns import RFC3339, YEARLY_DATE
from app.core.customer.limits import MAX_TEXT_CHARS
from app.core.customer.profile import PROFILE_FIELDS, TEXT_FIELDS
from app.core.events import MAX_CUSTOMER_ID_CHARS, MAX_EVENT_ID_CHARS, MERGE, PROFILES, TYPES
from app.core.rules.model import Rules
from app.core.time.instants import MAX_MS, MIN_MS

EVENT_ID: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_EVENT_ID_CHARS,
    "description": "Yours, and the same when you send the event again: the repetition is ignored.",
}
CUSTOMER_ID: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_CUSTOMER_ID_CHARS,
    "description": "Who it happened to. The record's key is the same text.",
}
OCCURRED_AT: Schema = {
    "description": "When it happened: RFC 3339 with an offset, or integer epoch milliseconds.",
    "anyOf": [
        {"type": "string", "pattern": RFC3339},
        {"type": "integer", "minimum": MIN_MS, "maximum": MAX_MS},
    ],
}


def _annotated(reads_as: Schema, words: str) -> Schema:
    return {"description": words, READS_AS: reads_as}


ORDINARY_DATA: Schema = {
    "type": "object",
    "properties": {field: _annotated(*READ[field]) for field in sorted(READ)},
}


def all_types() -> list[tuple[str, str]]:
    """(topic, type) of everything that may come, in one order."""
    return [(topic, name) for topic, names in TYPES.items() for name in sorted(names)]


def event_schema(topic: str, name: str, rules: Rules) -> Schema:
    """The value of a record of this type, in the plain envelope."""
    return {
        "$schema": DRAFT,
        "title": f"{name} on {topic}",
        "description": "The value of a record, as JSON of at most 256 KiB. Fields that are not"
        " named here are accepted and not kept.",
        "type": "object",
        "required": ["event_id", "type", "customer_id", "occurred_at", "data"],
        "properties": {
            "event_id": EVENT_ID,
            "type": {"const": name},
            "customer_id": CUSTOMER_ID,
            "occurred_at": OCCURRED_AT,
            "data": data_schema(topic, name, rules),
        },
        "examples": [example(name)],
    }


def example(name: str) -> Schema:
    """An event of this type."""
    return {
        "event_id": f"{name}-1",
        "type": name,
        "customer_id": "c-1",
        "occurred_at": "2026-03-01T12:00:00.000Z",
        "data": EXAMPLES[name],
    }


def data_schema(topic: str, name: str, rules: Rules) -> Schema:
    """What ``data`` of this type may hold."""
    if name == MERGE:
        into = CUSTOMER_ID | {"description": "The customer that this one turned out to be."}
        return {"type": "object", "properties": {"into": into}, "required": ["into"]}
    if topic == PROFILES:
        return _profile(rules)
    properties = dict(ORDINARY_DATA["properties"])
    if name == "message_bounced":
        properties["hard"] = _annotated(*HARD)
    schema: Schema = {"type": "object", "properties": properties}
    needed = {
        field: trigger.name
        for trigger in rules.plans[topic][name].keyed
        if trigger.kind.key is not None
        for field in trigger.kind.key.fields
    }
    for field, trigger_name in sorted(needed.items()):
        properties[field] = {
            "type": ["string", "integer"],
            "minLength": 1,
            "maxLength": MAX_TEXT_CHARS,
            "description": f"{READ[field][1]} Needed: {trigger_name} tells its runs apart by it.",
            READS_AS: READ[field][0],
        }
    if needed:
        schema["required"] = sorted(needed)
    return schema


def _profile(rules: Rules) -> Schema:
    """Only the fields present change; null takes a field away."""
    channels = sorted(rules.channels)
    text: Schema = {"type": ["string", "null"]}
    properties: dict[str, Schema] = dict.fromkeys(sorted(TEXT_FIELDS), text) | {
        "timezone": text | {"description": "IANA, such as Europe/Berlin. It must exist."},
        "birthday": text | {"pattern": YEARLY_DATE, "description": "YYYY-MM-DD or --MM-DD"},
        "channels": {
            "type": ["array", "null"],
            "items": {"enum": channels},
            "description": "The order in which the customer wants to be reached.",
        },
        "consent": {
            "type": "object",
            "properties": {channel: {"type": ["boolean", "null"]} for channel in channels},
            "additionalProperties": False,
        },
        "attributes": {"type": "object", "description": "Whatever rules ask for by name."},
    }
    assert properties.keys() == PROFILE_FIELDS
    return {
        "type": "object",
        "description": "Only the fields present change; null takes a field away. One field that"
        " cannot be what it says, and nothing of the update is applied.",
        "properties": properties,
    }
