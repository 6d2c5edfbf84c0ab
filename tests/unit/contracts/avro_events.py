"""Events as a publisher with a Schema Registry writes them: confluent's own serializers."""

import json
from typing import Any, Final

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

_TOPIC: Final = {"subject.name.strategy.type": "TOPIC"}

CART: Final = {
    "type": "record",
    "name": "CartUpdated",
    "namespace": "shop",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "type", "type": {"type": "enum", "name": "T", "symbols": ["cart_updated"]}},
        {"name": "customer_id", "type": "string"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {
            "name": "data",
            "type": {
                "type": "record",
                "name": "Cart",
                "fields": [
                    {"name": "cart_id", "type": ["null", "string"], "default": None},
                    {
                        "name": "value",
                        "type": {
                            "type": "bytes",
                            "logicalType": "decimal",
                            "precision": 8,
                            "scale": 2,
                        },
                    },
                    {"name": "items", "type": {"type": "array", "items": "string"}},
                    {"name": "on_time", "type": ["null", "boolean"], "default": None},
                ],
            },
        },
    ],
}
PROFILE: Final = {
    "title": "ProfileUpdated",
    "type": "object",
    "required": ["event_id", "type", "customer_id", "occurred_at", "data"],
    "properties": {"data": {"type": "object"}},
}


def client(url: str) -> SchemaRegistryClient:
    """The publisher's."""
    return SchemaRegistryClient({"url": url})


def avro_bytes(url: str, schema: object, value: Any, topic: str = "orders") -> bytes:
    """The value of a record on the topic, its schema registered."""
    serializer = AvroSerializer(client(url), json.dumps(schema), conf=_TOPIC)
    return _written(serializer, value, topic)


def json_bytes(url: str, schema: object, value: Any, topic: str = "profiles") -> bytes:
    """The same as JSON, held against its JSON Schema."""
    serializer = JSONSerializer(json.dumps(schema), client(url), conf=_TOPIC)
    return _written(serializer, value, topic)


def _written(serializer: Any, value: Any, topic: str) -> bytes:
    written: bytes = serializer(value, SerializationContext(topic, MessageField.VALUE))
    return written
