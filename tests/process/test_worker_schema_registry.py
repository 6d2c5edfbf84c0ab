"""A live worker reads Avro and JSON Schema values; what is wrong with one, or with the registry."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.process.conftest import Instance
from tests.process.running import wait_for
from tests.unit.contracts.avro_events import CART, PROFILE, avro_bytes, json_bytes
from tests.unit.contracts.registry import Registry

pytestmark = pytest.mark.parametrize("broker", ["embedded"], indirect=True)


def cart(customer_id: str) -> dict[str, Any]:
    return {
        "event_id": f"cart-{customer_id}",
        "type": "cart_updated",
        "customer_id": customer_id,
        "occurred_at": datetime.now(UTC),
        "data": {"cart_id": "k", "value": Decimal("9.90"), "items": [], "on_time": None},
    }


def profile(customer_id: str) -> dict[str, Any]:
    return {
        "event_id": f"profile-{customer_id}",
        "type": "profile_updated",
        "customer_id": customer_id,
        "occurred_at": int(time.time() * 1000),
        "data": {"email": f"{customer_id}@example.org"},
    }


def test_values_by_schema_become_requests(instance: Instance) -> None:
    """With plain JSON on the same topics; an unknown id and broken bytes are dead letters."""
    wire = instance.wire
    with Registry() as registry:
        for customer_id in ("c1", "c2"):
            key = customer_id.encode()
            wire.record("profiles", key, json_bytes(registry.url, PROFILE, profile(customer_id)))
        wire.flush()
        value = avro_bytes(registry.url, CART, cart("c1"))
        wire.record("orders", b"c1", value)
        wire.event("orders", "c2", "cart_updated", {"cart_id": "k"})
        wire.record("orders", b"c2", b"\0\0\0\0\x63" + value[5:])
        wire.record("orders", b"c2", value[:-3])
        wire.flush()
        with instance.worker(TRIGGER_SCHEMA_REGISTRY_URL=registry.url) as worker:
            requests = wire.wait_for_values("dispatch", 2)
            assert {each["address"] for each in requests} == {"c1@example.org", "c2@example.org"}
            wait_for("dead", lambda: worker.metric("trigger_dead_letters_total") == 2)
            dead = wire.read("dead-letters")
            reasons = [dict(each.headers() or [])["trigger-error-reason"] for each in dead]
            assert reasons == [b"unknown_schema", b"schema_value"]
            assert [each.value() for each in dead] == [b"\0\0\0\0\x63" + value[5:], value[:-3]]
            assert worker.stop() == 0


def test_a_registry_that_is_down_stops_the_worker_and_loses_nothing(instance: Instance) -> None:
    """Exit 1 with a reason, nothing committed; once it is up again everything goes on."""
    wire = instance.wire
    instance.customers(1)
    with Registry() as registry:
        wire.record("orders", b"c0", avro_bytes(registry.url, CART, cart("c0")))
        wire.flush()
        registry.instead = 503, b'{"error_code": 50301, "message": "no leader"}'
        with instance.worker(TRIGGER_SCHEMA_REGISTRY_URL=registry.url) as worker:
            assert worker.wait() == 1
            assert "did not say what schema 1 is" in worker.log
            assert "no leader" in worker.log
        assert wire.committed()["orders"] == 0
        assert wire.values("dead-letters") == []
        registry.instead = None
        with instance.worker(TRIGGER_SCHEMA_REGISTRY_URL=registry.url) as worker:
            requests = wire.wait_for_values("dispatch", 1)
            assert {each["cause"]["event_id"] for each in requests} == {"cart-c0"}
            assert worker.stop() == 0
