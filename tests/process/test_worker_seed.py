"""``triggers seed``: a history through the normal topics, of which nothing is decided."""

import time
from pathlib import Path

import orjson
import pytest

from app.cli import main
from tests.process.conftest import Instance
from tests.process.running import RunningWorker, wait_for

pytestmark = pytest.mark.parametrize("broker", ["embedded"], indirect=True)
DAY_MS = 86_400_000
CUSTOMERS = 40


def history(now_ms: int) -> list[bytes]:
    """Long ago each has ordered twice and left a cart."""
    lines = []
    for number in range(CUSTOMERS):
        customer = {"customer_id": f"c{number}"}
        start_ms = now_ms - 30 * DAY_MS + number
        email = {"email": f"c{number}@example.org"}
        for index, (topic, name, data) in enumerate(
            [
                ("profiles", "profile_updated", email),
                ("orders", "order_placed", {}),
                ("orders", "order_placed", {}),
                ("orders", "cart_updated", {"cart_id": "k"}),
            ]
        ):
            line = {"topic": topic, "event_id": f"h{number}-{index}", "type": name, "data": data}
            lines.append(orjson.dumps(line | customer | {"occurred_at": start_ms + index * 1000}))
    return lines


def handled(worker: RunningWorker) -> float:
    """How many events are in the records, whoever read them."""
    found: float = worker.metric("trigger_events_total")
    return found


def test_a_seeded_history_is_known_and_not_decided(instance: Instance, tmp_path: Path) -> None:
    """Through a kill in the middle of it; the next order of each is their third."""
    wire, now_ms = instance.wire, int(time.time() * 1000)
    lines = history(now_ms)
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"\n".join(lines))
    settings = wire.settings
    options = ["--bootstrap", settings.bootstrap_servers, "--prefix", settings.topic_prefix]
    assert main(["seed", str(path), "--decide-from", str(now_ms - DAY_MS), *options]) == 0
    with instance.worker(TRIGGER_MAX_POLL_RECORDS="20") as worker:
        wait_for("some", lambda: handled(worker) > 20)
        worker.kill()
    with instance.worker() as worker:
        worker.wait_until_ready()
        wait_for("all", lambda: worker.metric("trigger_customers") == CUSTOMERS)
        wait_for("orders", lambda: wire.committed().get("orders") == 3 * CUSTOMERS, 60.0)
        wait_for("timers", lambda: worker.metric("trigger_timers_pending") == 0)
        assert wire.values("decisions") == []
        for number in range(CUSTOMERS):
            wire.event("orders", f"c{number}", "order_placed")
        wire.flush()
        sent = wire.wait_for_values("dispatch", 2 * CUSTOMERS)
        assert worker.stop() == 0, worker.log
    for trigger in ("order_placed", "third_order"):
        found = sorted(each["customer_id"] for each in sent if each["trigger"] == trigger)
        assert found == sorted(f"c{number}" for number in range(CUSTOMERS))
