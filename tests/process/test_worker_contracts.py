"""What a live worker puts onto its topics is what the AsyncAPI document says is there."""

import json
from typing import Any

import jsonschema
import pytest
from confluent_kafka import Message

from app.contracts.asyncapi import document
from tests.process.conftest import Instance
from tests.unit.contracts.judging import shipped_rules

pytestmark = pytest.mark.parametrize("broker", ["embedded"], indirect=True)

CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def assert_as_documented(
    made: dict[str, Any], channel: str, messages: "list[Message[bytes, bytes]]"
) -> None:
    """Headers, key and, where it is JSON, value of every message on the channel."""
    (name,) = made["channels"][channel]["messages"]
    message = made["components"]["messages"][name]
    assert messages
    for each in messages:
        found = dict(each.headers() or [])
        headers = {key: value.decode() for key, value in found.items() if isinstance(value, bytes)}
        validate(made, message["headers"], headers)
        validate(made, message["bindings"]["kafka"]["key"], (each.key() or b"").decode())
        if message["contentType"] == "application/json":
            value = json.loads(each.value() or b"")
            validate(made, message["payload"], value)
            del value["request_id"]
            with pytest.raises(jsonschema.ValidationError, match="request_id"):
                validate(made, message["payload"], value)


def validate(made: dict[str, Any], schema: dict[str, Any], value: object) -> None:
    jsonschema.Draft7Validator({**schema, "components": made["components"]}).validate(value)


def test_outputs_are_as_documented(instance: Instance) -> None:
    """Requests and decisions, with a trace and without, and dead letters."""
    wire = instance.wire
    first, second = instance.customers(2)
    header = ("traceparent", CONTEXT.encode())
    wire.event("orders", first, "order_placed", headers=[header])
    wire.event("orders", second, "order_placed")
    wire.record("orders", first.encode(), b"not json", headers=[header])
    wire.flush()
    made = document(wire.settings, shipped_rules())
    with instance.worker() as worker:
        wire.wait_for_values("dispatch", 2)
        assert worker.stop() == 0
    for channel in ("dispatch", "decisions", "dead-letters"):
        assert made["channels"][channel]["address"] == wire.settings.topic(channel)
        assert_as_documented(made, channel, wire.read(channel))
