"""The AsyncAPI 3 document: every topic under its name on the broker, with all its messages."""

from typing import Any, Final

from app.contracts import VERSION, Schema, cloud_events, component
from app.contracts.events import (
    CUSTOMER_ID,
    EVENT_ID,
    OCCURRED_AT,
    data_schema,
    event_schema,
    example,
)
from app.contracts.outputs import DEAD_LETTER_HEADERS, RECORDS, TRACE_HEADERS, record_schema
from app.core.events import PROFILES
from app.core.rules.model import Rules
from app.kafka.topic_specs import TopicSpec, needed
from app.settings.model import Settings
from app.settings.topics import CHANGELOG, DEAD_LETTERS, REPARTITION, Topic, topics_with

ASYNCAPI: Final = "3.0.0"
_BINDING: Final = "0.5.0"
_JSON: Final = "application/json"
_BYTES: Final = "application/octet-stream"
#: Not a reference: in this place AsyncAPI's schema takes one for two things at once.
_KEY: Final[Schema] = {name: CUSTOMER_ID[name] for name in ("type", "minLength", "maxLength")}

_DESCRIPTION: Final = """\
All records are keyed by the customer's id (UTF-8); partitions are Kafka's murmur2 of the key.
A type that a topic does not carry is ignored and counted; unknown fields are accepted and not kept.
What cannot be understood goes to dead-letters, whole, and the stream goes on.
The same event_id again for a customer is ignored, so retries are safe.
Inputs are read with isolation.level=read_committed. Read outputs so too: exactly once means that
they are written in transactions, and what an aborted one has left must not be read.
"""


def document(settings: Settings, rules: Rules) -> dict[str, Any]:
    """The document for an instance with these settings and rules."""
    topics = [each for each in topics_with(settings.declared_inputs) if each.name != REPARTITION]
    messages = _messages(rules)
    specs = {spec.logical: spec for spec in needed(settings)}
    return {
        "asyncapi": ASYNCAPI,
        "info": {
            "title": "Trigger engine",
            "version": VERSION,
            "description": _DESCRIPTION,
        },
        "defaultContentType": _JSON,
        "servers": {"kafka": _server(settings)},
        "channels": {
            topic.name: _channel(topic, sorted(messages.get(topic.name, ())), specs[topic.name])
            for topic in topics
        },
        "operations": _operations(settings, topics),
        "components": {
            "messages": {
                name: message for named in messages.values() for name, message in named.items()
            },
            "schemas": _schemas(rules),
        },
    }


def _server(settings: Settings) -> Schema:
    is_secure = settings.security_protocol != "PLAINTEXT"
    return {
        "host": "{bootstrap}",
        "protocol": "kafka-secure" if is_secure else "kafka",
        "variables": {
            "bootstrap": {"description": "host:port", "default": settings.bootstrap_servers}
        },
    }


def _channel(topic: Topic, names: list[str], spec: TopicSpec) -> Schema:
    config = spec.config(1)
    configuration: Schema = {"cleanup.policy": [config["cleanup.policy"]]}
    if "retention.ms" in config:
        configuration["retention.ms"] = int(config["retention.ms"])
    return {
        "address": spec.topic,
        "title": topic.name,
        "description": topic.sentence,
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "topic": spec.topic,
                "topicConfiguration": configuration,
                "bindingVersion": _BINDING,
            }
        },
    }


_VERBS: Final = {"input": ("receive",), "output": ("send",), "internal": ("receive", "send")}


def _operations(settings: Settings, topics: list[Topic]) -> Schema:
    """What the engine does with each channel: it receives inputs and sends outputs."""
    return {
        f"{verb}_{topic.name}": _operation(settings, verb, topic)
        for topic in topics
        for verb in _VERBS[topic.role]
    }


def _operation(settings: Settings, verb: str, topic: Topic) -> Schema:
    operation: Schema = {
        "action": verb,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.sentence,
    }
    if topic.role == "input":
        group = {"type": "string", "enum": [settings.app_id]}
        operation["bindings"] = {"kafka": {"groupId": group, "bindingVersion": _BINDING}}
    return operation


def _messages(rules: Rules) -> dict[str, dict[str, Schema]]:
    """Channel -> message -> what it is."""
    found: dict[str, dict[str, Schema]] = {
        topic: _inputs(topic, rules) for topic in rules.taxonomy.topics
    }
    for topic, records in RECORDS.items():
        found[topic] = {
            name: _message(name, record.__doc__ or "", name, headers="trace_headers")
            for name, record in records.items()
        }
    found[DEAD_LETTERS] = {
        "dead_letter": _message(
            "dead_letter",
            "The record as it came: key, value and headers.",
            "any_bytes",
            headers="dead_letter_headers",
            content_type=_BYTES,
        )
    }
    found[CHANGELOG] = {
        "customer_record": _message(
            "customer_record",
            "A customer's record; null erases.",
            "any_bytes",
            content_type=_BYTES,
        )
    }
    return found


def _inputs(topic: str, rules: Rules) -> dict[str, Schema]:
    messages = {
        name: _message(name, f"{name}, in the plain envelope.", name, headers="trace_headers")
        | {"examples": [{"name": name, "payload": example(topic, name, rules)}]}
        for name in sorted(rules.taxonomy.types[topic])
    }
    structured, binary = f"{topic}_cloud_event", f"{topic}_cloud_event_binary"
    messages[structured] = _message(
        structured,
        "Any of the topic's events as a CloudEvent in structured mode.",
        structured,
        headers="cloud_event_headers",
        content_type=cloud_events.CONTENT_TYPE,
    ) | {
        "examples": [
            {
                "name": structured,
                "headers": {"content-type": cloud_events.CONTENT_TYPE},
                "payload": cloud_events.structured_example(topic, rules),
            }
        ]
    }
    messages[binary] = _message(
        binary,
        "Any of the topic's events as a CloudEvent in binary mode: attributes are headers.",
        f"{binary}_data",
        headers=f"{binary}_headers",
    ) | {"examples": [{"name": binary} | cloud_events.binary_example(topic, rules)]}
    if topic == PROFILES:
        messages["erasure"] = _message(
            "erasure", "A null value: everything known of the customer goes.", "nothing"
        )
    return messages


def _message(
    name: str,
    summary: str,
    payload: str,
    *,
    headers: str | None = None,
    content_type: str = _JSON,
) -> Schema:
    message: Schema = {
        "name": name,
        "title": name.replace("_", " "),
        "summary": summary,
        "contentType": content_type,
        "payload": component(payload),
        "bindings": {"kafka": {"key": _KEY, "bindingVersion": _BINDING}},
    }
    if headers is not None:
        message["headers"] = component(headers)
    return message


def _schemas(rules: Rules) -> dict[str, Schema]:
    schemas: dict[str, Schema] = {
        "customer_id": CUSTOMER_ID,
        "event_id": EVENT_ID,
        "occurred_at": OCCURRED_AT,
        "nothing": {"type": "null"},
        "any_bytes": {"description": "Any bytes, or none."},
        "trace_headers": TRACE_HEADERS,
        "dead_letter_headers": DEAD_LETTER_HEADERS,
        "cloud_event_headers": {
            "type": "object",
            "required": ["content-type"],
            "properties": {"content-type": {"const": cloud_events.CONTENT_TYPE}},
        },
    }
    for topic, names in rules.taxonomy.types.items():
        for name in sorted(names):
            schemas[f"{name}_data"] = data_schema(topic, name, rules)
            schemas[name] = _referring(event_schema(topic, name, rules), name)
        structured = f"{topic}_cloud_event"
        schemas[structured] = cloud_events.structured_schema(topic, rules)
        schemas[f"{structured}_binary_data"] = cloud_events.binary_payload(topic, rules)
        schemas[f"{structured}_binary_headers"] = cloud_events.binary_headers(topic, rules)
    for records in RECORDS.values():
        schemas |= {name: _bare(record_schema(record)) for name, record in records.items()}
    return schemas


def _referring(schema: Schema, name: str) -> Schema:
    """The same, with what other types have too by reference."""
    fields = {field: component(field) for field in ("event_id", "customer_id", "occurred_at")}
    properties = schema["properties"] | fields | {"data": component(f"{name}_data")}
    return _bare(schema) | {"properties": properties}


def _bare(schema: Schema) -> Schema:
    return {name: value for name, value in schema.items() if name not in ("$schema", "examples")}
