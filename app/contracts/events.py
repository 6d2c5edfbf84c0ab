"""The JSON Schema of each event type: it accepts what the engine accepts, and refuses what would
become a dead letter as far as a schema can say.

It cannot say: that 7.0 is no integer to the engine, that a zone does not exist, that the record's
key is another customer's, that a value is over 256 KiB. Some of it depends on the rules: channels,
and the key that a start of an abandonment must have.
"""

from app.contracts import DRAFT, Schema
from app.contracts.fields import ENGINE_FIELDS, INSTANT, READ, example_data, fields_of
from app.contracts.patterns import YEARLY_DATE
from app.core.customer.limits import MAX_TEXT_CHARS
from app.core.customer.profile import PROFILE_FIELDS, TEXT_FIELDS
from app.core.events import MAX_CUSTOMER_ID_CHARS, MAX_EVENT_ID_CHARS, MERGE, PROFILES
from app.core.rules.model import Rules
from app.core.rules.taxonomy import Taxonomy

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
    **INSTANT,
}


def all_types(taxonomy: Taxonomy) -> list[tuple[str, str]]:
    """(topic, type) of everything that may come, in one order."""
    return [(topic, name) for topic, names in taxonomy.types.items() for name in sorted(names)]


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
        "examples": [example(topic, name, rules)],
    }


def example(topic: str, name: str, rules: Rules) -> Schema:
    """An event of this type."""
    return {
        "event_id": f"{name}-1",
        "type": name,
        "customer_id": "c-1",
        "occurred_at": "2026-03-01T12:00:00.000Z",
        "data": example_data(rules.taxonomy, topic, name, tuple(_needed(topic, name, rules))),
    }


def data_schema(topic: str, name: str, rules: Rules) -> Schema:
    """What ``data`` of this type may hold."""
    if name == MERGE:
        into = CUSTOMER_ID | {"description": "The customer that this one turned out to be."}
        return {"type": "object", "properties": {"into": into}, "required": ["into"]}
    if topic == PROFILES:
        return _profile(rules)
    fields = fields_of(rules.taxonomy, topic, name)
    fields |= ENGINE_FIELDS.get(name, {})
    needed = _needed(topic, name, rules)
    fields |= {field: READ[field] for field in needed if field not in fields}
    properties = {
        field: {"description": words, **values} for field, (values, words) in sorted(fields.items())
    }
    for field, trigger_name in needed.items():
        words = properties[field]["description"]
        properties[field] = {
            "description": f"{words} Needed: it is the key of {trigger_name}.",
            "type": ["string", "integer"],
            "minLength": 1,
            "maxLength": MAX_TEXT_CHARS,
        }
    schema: Schema = {"type": "object", "properties": properties}
    return schema | ({"required": list(needed)} if needed else {})


def _needed(topic: str, name: str, rules: Rules) -> dict[str, str]:
    """Fields without which an event of the type is a dead letter -> a trigger that needs it."""
    found = {
        field: trigger.name
        for trigger in rules.plans[topic][name].keyed
        if trigger.kind.key is not None
        for field in trigger.kind.key.fields
    }
    return dict(sorted(found.items()))


def _profile(rules: Rules) -> Schema:
    """Only the fields present change; null takes a field away."""
    channels = sorted(rules.channels)
    text: Schema = {"type": ["string", "null"]}
    address: Schema = {
        "type": ["string", "integer", "null"],
        "description": "An address; a number is its digits.",
    }
    properties: dict[str, Schema] = {
        field: address if field in rules.addresses else text for field in sorted(TEXT_FIELDS)
    }
    properties |= {
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
    held = sorted(field for field in rules.addresses if field.startswith("attributes."))
    if held:
        addresses = {field.removeprefix("attributes."): address for field in held}
        properties["attributes"] |= {"properties": addresses}
    assert properties.keys() == PROFILE_FIELDS
    return {
        "type": "object",
        "description": "Only the fields present change; null takes a field away. One field that"
        " cannot be what it says, and nothing of the update is applied.",
        "properties": properties,
    }
