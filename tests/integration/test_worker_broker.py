"""A worker whose broker goes away: time stands still for it, and it still ends when told to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.broker.embedded import EmbeddedBroker
from app.settings import Settings, load_settings
from tests.integration.conftest import Instance
from tests.integration.running import wait_for


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A broker of the test's own, which keeps its data over a restart."""
    with EmbeddedBroker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def settings(broker: EmbeddedBroker) -> Settings:
    return load_settings({"TRIGGER_BOOTSTRAP_SERVERS": broker.bootstrap_servers})


def test_a_dead_broker_stalls_the_watermark(instance: Instance, broker: EmbeddedBroker) -> None:
    """No timer fires while nobody knows what waits at the broker; then they all do, once."""
    wire = instance.wire
    ids = instance.customers(4)
    with instance.worker() as worker:
        worker.wait_until_ready()
        for customer_id in ids:
            wire.event("orders", customer_id, "cart_updated", {"cart_id": "k"})
        wire.flush()
        wait_for("carts", lambda: worker.metric("trigger_timers_fired_total") == 4)
        wire.wait_for_values("dispatch", 4)
        wait_for("commit", lambda: wire.committed()["orders"] == 4)
        broker.stop()
        wait_for("age", lambda: worker.metric("trigger_watermark_age_seconds", partition="0") > 6.5)
        assert worker.metric("trigger_timers_fired_total") == 4
        broker.start()
        wait_for("late carts", lambda: worker.metric("trigger_timers_fired_total") == 8)
        wire.wait_for_values("dispatch", 8)
        assert worker.stop() == 0, worker.log


def test_sigterm_ends_a_worker_whose_broker_is_gone(
    instance: Instance, broker: EmbeddedBroker
) -> None:
    """With nothing in progress nothing is lost by cutting the good-bye to the group short."""
    with instance.worker() as worker:
        worker.wait_until_ready()
        broker.stop()
        assert worker.stop(10.0) == 0, worker.log
