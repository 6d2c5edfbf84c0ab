"""The same events as CloudEvents 1.0: structured, as one JSON object, and binary, as headers.

References lead to the AsyncAPI document's schemas.
"""

from app.contracts import Schema, component
from app.contracts.events import example
from app.contracts.patterns import RFC3339
from app.core.rules.model import Rules

CONTENT_TYPE = "application/cloudevents+json"
_SPEC_VERSION: Schema = {"const": "1.0"}


def structured_schema(topic: str, rules: Rules) -> Schema:
    """The value of a record whose content-type header is CONTENT_TYPE."""
    names = sorted(rules.taxonomy.types[topic])
    return {
        "title": f"CloudEvent on {topic}",
        "description": "CloudEvents 1.0 in structured mode, with the header content-type:"
        f" {CONTENT_TYPE}. Other attributes are accepted and not kept.",
        "type": "object",
        "required": ["specversion", "id", "type", "subject", "time", "data"],
        "properties": {
            "specversion": _SPEC_VERSION,
            "id": component("event_id"),
            "source": {"type": "string"},
            "type": {"enum": names},
            "subject": component("customer_id"),
            "time": component("occurred_at"),
            "data": {"type": "object"},
        },
        "allOf": [
            {
                "if": {"properties": {"type": {"const": name}}},
                "then": {"properties": {"data": component(f"{name}_data")}},
            }
            for name in names
        ],
    }


def structured_example(topic: str, rules: Rules) -> Schema:
    """An event of the topic's first type."""
    event = example(topic, min(rules.taxonomy.types[topic]), rules)
    return {
        "specversion": "1.0",
        "id": event["event_id"],
        "source": "/shop",
        "type": event["type"],
        "subject": event["customer_id"],
        "time": event["occurred_at"],
        "data": event["data"],
    }


def binary_headers(topic: str, rules: Rules) -> Schema:
    """The headers of a record whose value is the data alone."""
    return {
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_type", "ce_subject", "ce_time"],
        "properties": {
            "ce_specversion": _SPEC_VERSION,
            "ce_id": component("event_id"),
            "ce_source": {"type": "string"},
            "ce_type": {"enum": sorted(rules.taxonomy.types[topic])},
            "ce_subject": component("customer_id"),
            "ce_time": {"type": "string", "pattern": RFC3339},
            "content-type": {"type": "string"},
        },
    }


def binary_payload(topic: str, rules: Rules) -> Schema:
    """The value: the data of one of the topic's types."""
    names = sorted(rules.taxonomy.types[topic])
    return {"anyOf": [component(f"{name}_data") for name in names]}


def binary_example(topic: str, rules: Rules) -> Schema:
    """Headers and value of the same event as the structured example."""
    event = structured_example(topic, rules)
    headers = {f"ce_{name}": value for name, value in event.items() if name != "data"}
    return {"headers": headers | {"content-type": "application/json"}, "payload": event["data"]}
