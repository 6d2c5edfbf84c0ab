"""A live worker reads what the CloudEvents SDK writes, beside plain events."""

from datetime import UTC, datetime

import pytest

from tests.process.conftest import Instance
from tests.process.running import wait_for
from tests.unit.contracts.sdk_events import Mode, headers_of, key_of, message

pytestmark = pytest.mark.parametrize("broker", ["embedded"], indirect=True)

MODES: list[Mode] = ["structured", "binary"]


def test_cloud_events_become_requests(instance: Instance) -> None:
    """Profiles, orders and cancels in both modes; errors name CloudEvents' own fields."""
    wire = instance.wire
    now = datetime.now(UTC)

    def publish(topic: str, mode: Mode, name: str, customer_id: str, **data: object) -> None:
        event_id = f"{name}-{customer_id}"
        written = message(mode, name, customer_id, data, event_id=event_id, at=now)
        wire.record(topic, key_of(written), written.value, headers=headers_of(written))

    for mode in MODES:
        publish("profiles", mode, "profile_updated", mode, email=f"{mode}@example.org")
        wire.flush()
        publish("orders", mode, "order_placed", mode, value=5)
        publish("orders", mode, "order_placed", mode, value=5)
    broken = message("binary", "order_placed", "binary", {})
    headers = [header for header in headers_of(broken) if header[0] != "ce_time"]
    wire.record("orders", b"binary", broken.value, headers=headers)
    wire.flush()
    with instance.worker() as worker:
        requests = wire.wait_for_values("dispatch", 2)
        assert {each["customer_id"]: each["address"] for each in requests} == {
            "structured": "structured@example.org",
            "binary": "binary@example.org",
        }
        assert {each["cause"]["event_id"] for each in requests} == {
            "order_placed-structured",
            "order_placed-binary",
        }
        worker.wait_until_ready()
        wait_for("duplicates", lambda: worker.metric("trigger_duplicates_total") == 2)
        wait_for("dead letter", lambda: worker.metric("trigger_dead_letters_total") == 1)
        (dead,) = wire.read("dead-letters")
        found = dict(dead.headers() or [])
        assert found["ce_id"] == b"e-1"
        assert str(found["trigger-error-text"]).startswith("b'time: expected RFC 3339")
        assert worker.stop() == 0
