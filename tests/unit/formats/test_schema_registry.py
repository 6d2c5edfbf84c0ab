"""Values by a Schema Registry: what is read, whose fault it is when it is not."""

import datetime
import json
import struct
import sys
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import ConfigError, EventError, InfrastructureError
from app.core.events import Event
from app.formats.decode import REASONS, decode_record
from app.formats.schema_registry import UNKNOWN_FOR_S, SchemaReader, schema_reader
from app.settings.load import load_settings
from tests.unit.contracts.avro_events import CART, PROFILE, avro_bytes, client, json_bytes
from tests.unit.contracts.registry import Registry

AT = datetime.datetime(2026, 3, 1, 12, 0, 0, 123456, datetime.UTC)
EVENT: dict[str, Any] = {
    "event_id": "e-1",
    "type": "cart_updated",
    "customer_id": "c-1",
    "occurred_at": AT,
    "data": {"cart_id": "k-1", "value": Decimal("69.50"), "items": ["a", "b"], "on_time": None},
}


@pytest.fixture(name="registry")
def _registry() -> Iterator[Registry]:
    """A running registry."""
    with Registry() as registry:
        yield registry


def reader(registry: Registry, **variables: str) -> SchemaReader:
    """As a worker makes it."""
    given = {f"TRIGGER_SCHEMA_REGISTRY_{name}": value for name, value in variables.items()}
    found = schema_reader(load_settings({"TRIGGER_SCHEMA_REGISTRY_URL": registry.url} | given))
    assert found is not None
    return found


def record(schema: object) -> dict[str, Any]:
    """A record schema with one field."""
    return {"type": "record", "name": "R", "fields": [{"name": "x", "type": schema}]}


def refusal(read: SchemaReader, value: bytes) -> tuple[str, str]:
    """The reason and the text of the EventError."""
    with pytest.raises(EventError) as caught:
        read(value)
    assert caught.value.reason in REASONS
    return caught.value.reason, str(caught.value)


def test_an_avro_event_is_an_event(registry: Registry) -> None:
    """As confluent's serializer wrote it, through the codec."""
    value = avro_bytes(registry.url, CART, EVENT)

    event = decode_record("orders", 0, 0, b"c-1", value, None, reader(registry))

    assert event == Event(
        topic="orders",
        partition=0,
        offset=0,
        event_id="e-1",
        type="cart_updated",
        customer_id="c-1",
        occurred_ms=1_772_366_400_123,
        data={"cart_id": "k-1", "value": 69.5, "items": ["a", "b"], "on_time": None},
    )


def test_a_json_event_is_an_event(registry: Registry) -> None:
    """Written with its JSON Schema; and it may be a CloudEvent's data."""
    profile = {
        "event_id": "p-1",
        "type": "profile_updated",
        "customer_id": "c-1",
        "occurred_at": 17,
        "data": {"email": "a@x"},
    }
    read = reader(registry)
    event = decode_record(
        "profiles", 0, 0, b"c-1", json_bytes(registry.url, PROFILE, profile), (), read
    )
    assert isinstance(event, Event)
    assert (event.occurred_ms, event.data) == (17, {"email": "a@x"})

    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"1"),
        ("ce_type", b"order_placed"),
        ("ce_subject", b"c-1"),
        ("ce_time", b"2026-03-01T12:00:00Z"),
        ("content-type", b"application/avro"),
    ]
    value = avro_bytes(registry.url, record("double"), {"x": 1.5})
    event = decode_record("orders", 0, 0, b"c-1", value, headers, read)
    assert isinstance(event, Event)
    assert event.data == {"x": 1.5}


def test_a_schema_is_asked_for_once(registry: Registry) -> None:
    """However many records name it."""
    value = avro_bytes(registry.url, CART, EVENT)
    read = reader(registry)
    registry.asked.clear()
    for _ in range(5):
        read(value)
    assert registry.asked == ["GET /schemas/ids/1"]


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (
            {"type": "long", "logicalType": "timestamp-millis"},
            AT,
            "2026-03-01T12:00:00.123000+00:00",
        ),
        ({"type": "int", "logicalType": "date"}, datetime.date(2026, 3, 1), "2026-03-01"),
        (
            {"type": "string", "logicalType": "uuid"},
            uuid.UUID("5d0c0b5c-0000-5000-8000-000000000000"),
            "5d0c0b5c-0000-5000-8000-000000000000",
        ),
        ({"type": "map", "values": "long"}, {"a": 1}, {"a": 1}),
        (["null", "string"], None, None),
        ("double", float("nan"), None),
    ],
)
def test_avro_values_become_what_json_has_for_them(
    registry: Registry, schema: object, value: object, expected: object
) -> None:
    """Instants and dates as text, NaN as nothing."""
    written = avro_bytes(registry.url, record(schema), {"x": value})
    assert reader(registry)(written) == {"x": expected}


def test_a_schema_may_refer_to_others(registry: Registry) -> None:
    """Schemas that refer to schemas that refer to others are read."""
    money = {
        "type": "record",
        "name": "shop.Money",
        "fields": [{"name": "value", "type": "double"}],
    }
    cart = record("shop.Money") | {"name": "shop.Cart"}
    registry.register("money", money)
    reference = {"name": "shop.Money", "subject": "money", "version": 1}
    registry.register("cart", cart, references=[reference])
    outer = record("shop.Cart") | {"name": "Outer"}
    reference = {"name": "shop.Cart", "subject": "cart", "version": 1}
    schema_id = registry.register("outer", outer, references=[reference])

    value = struct.pack(">bId", 0, schema_id, 0.0)[:5] + struct.pack("<d", 4.5)
    assert reader(registry)(value) == {"x": {"x": {"value": 4.5}}}


def test_an_unknown_id_is_the_records_fault(registry: Registry) -> None:
    """It is not asked for again at once, and it is asked for again."""
    now = 0.0
    read = SchemaReader(client(registry.url), "r", lambda: now)
    value = struct.pack(">bI", 0, 7) + b"x"

    for _ in range(3):
        assert refusal(read, value) == (
            "unknown_schema",
            "expected the id of a schema that r knows, got 7",
        )
    assert registry.asked == ["GET /schemas/ids/7"]
    for _ in range(7):
        registry.register("late", record("string"))
    now = UNKNOWN_FOR_S + 1
    assert read(struct.pack(">bI", 0, 7) + b"\x02a") == {"x": "a"}


def test_a_schema_of_an_unsupported_type_makes_a_dead_letter(registry: Registry) -> None:
    """Protobuf, and what is no Avro schema although it says so."""
    kinds = [registry.register("p", "x", "PROTOBUF"), registry.register("a", {"type": "no"})]
    for schema_id in kinds:
        reason, text = refusal(reader(registry), struct.pack(">bI", 0, schema_id) + b"x")
        assert reason == "unknown_schema"
        assert "expected a" in text


def test_bytes_that_do_not_fit_are_the_records_fault(registry: Registry) -> None:
    """Cut short, too many, of another schema, without anything after the id."""
    value = avro_bytes(registry.url, CART, EVENT)
    read = reader(registry)
    for wrong in (
        value[:-1],
        value + b"\0",
        value[:7],
        value[:5],
        value[:3],
        value[:5] + b"\xff" * 9,
    ):
        reason, text = refusal(read, wrong)
        assert reason == "schema_value"
        assert "e-1" not in text
    raw = avro_bytes(registry.url, record("bytes"), {"x": b"raw"})
    assert refusal(read, raw)[0] == "schema_value"


@given(st.binary(max_size=60))
def test_any_bytes_after_an_id_give_a_value_or_a_reason(data: bytes) -> None:
    """No bytes raise another error."""
    read = SchemaReader(FakeClient(), "r")
    reason = "schema_value"
    try:
        assert isinstance(read(b"\0\0\0\0\1" + data), dict)
    except EventError as exc:
        reason = exc.reason
    assert reason == "schema_value"


class FakeClient:
    """Knows one schema."""

    def get_schema(self, schema_id: int) -> Any:
        return Schema(json.dumps(CART), "AVRO")

    def get_version(self, subject_name: str, version: int) -> Any:
        raise AssertionError


@pytest.mark.parametrize(
    ("instead", "told"),
    [
        ((500, b'{"error_code": 50001, "message": "backend down"}'), "backend down"),
        ((401, b'{"error_code": 401, "message": "Unauthorized"}'), "Unauthorized"),
        ((403, b"<html>no</html>"), "403"),
        ((404, b"<html>not a registry</html>"), "404"),
        ((404, b'{"error_code": 404, "message": "HTTP 404 Not Found"}'), "404"),
        ((200, b"<html>sign in</html>"), "JSONDecodeError"),
    ],
)
def test_a_registry_that_does_not_say_is_infrastructure(
    registry: Registry, instead: tuple[int, bytes], told: str
) -> None:
    """Down, refusing, or something else altogether: nothing is thrown away on its word."""
    value = avro_bytes(registry.url, CART, EVENT)
    read = reader(registry)
    registry.instead = instead

    with pytest.raises(InfrastructureError, match="did not say what schema 1 is") as caught:
        read(value)
    assert told in str(caught.value)
    assert registry.url in str(caught.value)
    registry.instead = None
    assert read(value)


def test_a_registry_that_is_gone_is_infrastructure(registry: Registry) -> None:
    """A refused connection is an InfrastructureError."""
    value = avro_bytes(registry.url, CART, EVENT)
    read = reader(registry)
    registry.close()
    with pytest.raises(InfrastructureError, match="did not say what schema 1 is"):
        read(value)


def test_credentials_are_sent(tmp_path: Path) -> None:
    """From settings, the password from a file too; and they do not show."""
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    with Registry(credentials="ada:s3cret") as registry:
        schema_id = registry.register("x", record("string"))
        value = struct.pack(">bI", 0, schema_id) + b"\x02a"
        assert reader(registry, USERNAME="ada", PASSWORD_FILE=str(password))(value) == {"x": "a"}
        with pytest.raises(InfrastructureError, match="Unauthorized") as caught:
            reader(registry, USERNAME="ada", PASSWORD=str(tmp_path))(value)
    assert str(tmp_path) not in str(caught.value)


def test_without_a_registry_such_a_value_is_not_json() -> None:
    """And the text says what is missing."""
    assert schema_reader(load_settings({})) is None
    with pytest.raises(EventError, match="a schema registry, and none is set") as caught:
        decode_record("orders", 0, 0, None, b"\0\0\0\0\1x")
    assert caught.value.reason == "not_json"


def test_a_missing_package_or_registry_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before anything starts."""
    url = {"TRIGGER_SCHEMA_REGISTRY_URL": "https://r:8081/apis/ccompat/v7"}
    with pytest.raises(ConfigError, match="the client refuses"):
        schema_reader(load_settings(url | {"TRIGGER_SCHEMA_REGISTRY_CAFILE": str(tmp_path / "no")}))
    monkeypatch.setitem(sys.modules, "fastavro", None)
    with pytest.raises(ConfigError, match=r"fastavro is not installed: install .*\[registry\]"):
        schema_reader(load_settings(url))
