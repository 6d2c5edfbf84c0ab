"""Contracts of what a rules file declares: own types, fields and topics."""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from app.contracts.events import all_types, data_schema, event_schema, example
from app.contracts.files import contract_files
from app.core.errors import EventError
from app.core.rules.model import Rules
from app.publish.check.lines import check_line
from app.publish.lines import outgoing
from app.rules_file.load import parse_rules
from app.settings.load import load_settings

RULES = b"""
version: 1
channels: {email: {requires: email}}
events:
  orders:
    order_placed: {brand: text, gift: flag}
    wishlist_added: {sku: text, price: money, returns_on: date}
  bookings:
    trip_searched: {departs_at: time, travellers: number, legs: items}
  support:
    ticket_closed: {ticket_id: text, satisfaction: number}
triggers:
  ticket: {kind: abandonment, start: [ticket_closed], key: ticket_id, after: 1h,
           template: t, channels: [email]}
  wish: {kind: abandonment, start: [wishlist_added], key: session_id, after: 1h,
         template: t, channels: [email]}
"""
OWN = [("orders", "wishlist_added"), ("bookings", "trip_searched"), ("support", "ticket_closed")]


@cache
def rules() -> Rules:
    """The rules that declare."""
    return parse_rules(RULES)


def types_in_data(topic: str, name: str) -> dict[str, Any]:
    """Field -> what the schema says of its type."""
    properties = data_schema(topic, name, rules())["properties"]
    return {field: body.get("type", "anyOf") for field, body in properties.items()}


def test_each_type_has_its_own_fields_alone_with_real_types() -> None:
    """What a code generator makes attributes of: a number is one, and not anything."""
    assert types_in_data("bookings", "trip_searched") == {
        "departs_at": "anyOf",
        "legs": "array",
        "travellers": "number",
    }
    assert types_in_data("support", "ticket_closed") == {
        "satisfaction": "number",
        "ticket_id": ["string", "integer"],
    }
    placed = types_in_data("orders", "order_placed")
    assert (placed["value"], placed["gift"]) == ("number", "boolean")
    assert not {"departs_at", "on_time"} & placed.keys()


@pytest.mark.parametrize(("topic", "name"), all_types(rules().taxonomy))
def test_the_example_of_every_type_is_one(topic: str, name: str) -> None:
    """Valid by its schema, publishable, and without as much as a warning."""
    event = example(topic, name, rules())
    jsonschema.Draft7Validator(event_schema(topic, name, rules())).validate(event)
    line = orjson.dumps({"topic": topic, "key": "c-1", "value": event})
    assert check_line(line, rules()) == []


def test_files_of_own_types_and_topics(tmp_path: Path) -> None:
    """A schema each, and a channel of the document whose messages they are."""
    rules_path = tmp_path / "rules.yaml"
    rules_path.write_bytes(RULES)
    settings = load_settings({"TRIGGER_RULES": str(rules_path)})
    settings = settings.with_declared_inputs(rules().taxonomy.topics)
    files = dict(contract_files(settings, rules()))
    assert {f"schemas/{topic}/{name}.json" for topic, name in OWN} <= files.keys()
    document = orjson.loads(files["asyncapi/asyncapi.json"])
    messages = document["channels"]["support"]["messages"]
    assert set(messages) == {"ticket_closed", "support_cloud_event", "support_cloud_event_binary"}
    data = document["components"]["schemas"]["ticket_closed_data"]
    assert data["required"] == ["ticket_id"]


@pytest.mark.parametrize(
    ("topic", "name", "data", "warned"),
    [
        ("support", "ticket_closed", {"ticket_id": "t", "satisfaction": "good"}, "satisfaction"),
        ("support", "ticket_closed", {"ticket_id": 7, "satisfaction": 2}, None),
        ("bookings", "trip_searched", {"departs_at": "tomorrow"}, "departs_at"),
        ("bookings", "trip_searched", {"departs_at": 1_780_000_000_000}, None),
        ("orders", "wishlist_added", {"session_id": "s", "returns_on": "2026-02-30"}, "returns_on"),
        ("orders", "order_placed", {"brand": True}, "brand"),
        ("orders", "order_placed", {"travellers": 2}, "travellers"),
    ],
)
def test_check_knows_declared_fields(
    topic: str, name: str, data: dict[str, Any], warned: str | None
) -> None:
    """A value of another type is of no use, and a field of another type's event is unknown."""
    event = example(topic, name, rules()) | {"data": data}
    line = orjson.dumps({"topic": topic, "key": "c-1", "value": event})
    remarks = [(each.level, each.path) for each in check_line(line, rules())]
    assert remarks == ([("warning", f"value.data.{warned}")] if warned else [])


def test_what_an_own_type_needs_is_an_error_without_it() -> None:
    """The key of an abandonment, also where it is a declared field."""
    event = example("support", "ticket_closed", rules()) | {"data": {}}
    line = orjson.dumps({"topic": "support", "key": "c-1", "value": event})
    assert [(each.level, each.path) for each in check_line(line, rules())] == [
        ("error", "value.data.ticket_id")
    ]


def test_only_topics_that_are_declared_can_be_published_to() -> None:
    """The text names those that there are."""
    line = orjson.dumps({"topic": "support"} | example("support", "ticket_closed", rules()))
    assert outgoing(line, topics=rules().taxonomy.topics).topic == "support"
    with pytest.raises(EventError, match="expected one of profiles, orders, bookings, engagement"):
        outgoing(line)
