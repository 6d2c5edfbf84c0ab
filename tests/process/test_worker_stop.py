"""SIGTERM: the worker finishes its batch, commits, leaves the group, within ten seconds."""

import time
from collections import Counter

import pytest
from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from app.kafka.clients import admin_config
from tests.process.busy import busy_loops
from tests.process.conftest import Instance
from tests.process.running import RunningWorker, Wire, wait_for

pytestmark = pytest.mark.soak
#: So long that only who leaves, or comes back under the same name, lets the next one begin.
LONG = {"TRIGGER_SESSION_TIMEOUT": "60s"}
ORDERS = 2000
CARTS = 1000


def stop(worker: RunningWorker) -> None:
    """SIGTERM, and it ends well."""
    assert worker.stop() == 0, worker.log


def publish_orders(wire: Wire, ids: list[str], count: int) -> None:
    for number in range(count):
        wire.event("orders", ids[number % len(ids)], "order_placed", {"value": 1})
    wire.flush()


@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
def test_a_stop_under_load_finishes_commits_and_repeats_nothing(
    instance: Instance, guarantee: str
) -> None:
    """What was begun is done; the next worker takes up where this one stopped."""
    wire = instance.wire
    ids = instance.customers(20)
    publish_orders(wire, ids, ORDERS)
    settings = {"TRIGGER_GUARANTEE": guarantee, "TRIGGER_MAX_POLL_RECORDS": "20"}
    with instance.worker(**settings) as worker:
        wait_for("some", lambda: worker.metric("trigger_events_total") > 100)
        handled = worker.metric("trigger_events_total")
        stop(worker)
    committed = sum(wire.committed().values())
    assert handled <= committed
    with instance.worker(**settings) as worker:
        wait_for("the rest", lambda: wire.committed()["orders"] == ORDERS)
        wait_for("requests", lambda: len(wire.values("dispatch")) >= ORDERS + 20 * (100 // 3))
        assert worker.metric("trigger_events_total", outcome="skipped") == 0
        assert worker.metric("trigger_events_total") == ORDERS + 20 - committed
        stop(worker)
    requests = wire.values("dispatch")
    assert len(requests) == len({each["request_id"] for each in requests})


@pytest.mark.parametrize("broker", ["kafka"], indirect=True)
@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
def test_a_stop_on_a_busy_machine(instance: Instance, guarantee: str) -> None:
    """With timers and orders waiting it ends well, and the next worker does the rest."""
    wire = instance.wire
    ids = instance.customers(CARTS)
    for customer_id in ids:
        wire.event("orders", customer_id, "cart_updated", {"cart_id": "k"})
    publish_orders(wire, ids[:20], ORDERS)
    settings = {"TRIGGER_GUARANTEE": guarantee, "TRIGGER_MAX_POLL_RECORDS": "20"}
    with instance.worker(**settings) as worker, busy_loops(6):
        wait_for("some", lambda: worker.metric("trigger_events_total", topic="orders") > 0)
        began = time.monotonic()
        stop(worker)
        took_s = time.monotonic() - began
    print(f"{guarantee}: a stop beside six busy loops took {took_s:.1f} s")
    expected = {"order_placed": ORDERS, "third_order": 20 * (100 // 3)}
    with instance.worker(**settings) as worker:
        worker.wait_until_ready()
        wait_for("the rest", lambda: counts(wire, guarantee) >= Counter(expected))
        stop(worker)


def counts(wire: Wire, guarantee: str) -> Counter[str]:
    """Requests by trigger, each once; none is there twice where that is promised."""
    requests = wire.values("dispatch")
    by_id = {(each["request_id"], each["kind"]): each["trigger"] for each in requests}
    assert guarantee == "at_least_once" or len(by_id) == len(requests)
    return Counter(by_id.values())


def test_a_worker_without_a_name_leaves_the_group(instance: Instance) -> None:
    """Its partitions are assigned to others without waiting for its session to end."""
    wire = instance.wire
    with instance.worker(TRIGGER_INSTANCE_ID="", **LONG) as worker:
        worker.wait_until_ready()
        stop(worker)
    admin = AdminClient(admin_config(wire.settings))
    group = wire.settings.app_id
    found = admin.describe_consumer_groups([group])[group].result()
    assert found.state == ConsumerGroupState.EMPTY, found.members
    with instance.worker(TRIGGER_INSTANCE_ID="", **LONG) as worker:
        worker.wait_until_ready()
        stop(worker)


def test_a_worker_with_a_name_comes_back_at_once(instance: Instance) -> None:
    """It does not leave, so that its partitions stay its own; its next start takes its place."""
    wire = instance.wire
    ids = instance.customers(5)
    with instance.worker(**LONG) as worker:
        worker.wait_until_ready()
        stop(worker)
    with instance.worker(**LONG) as worker:
        worker.wait_until_ready()
        publish_orders(wire, ids, 5)
        wire.wait_for_values("dispatch", 5)
        worker.kill()
    with instance.worker(**LONG) as worker:
        worker.wait_until_ready()
        publish_orders(wire, ids, 5)
        wait_for(
            "requests", lambda: len({each["request_id"] for each in wire.values("dispatch")}) == 10
        )
        stop(worker)


@pytest.mark.parametrize("after", ["worker starts", "Subscribed to topic", "Joined group"])
def test_a_stop_while_starting(instance: Instance, after: str) -> None:
    """Wherever it is; and the next start is not held up."""
    with instance.worker(**LONG, TRIGGER_LOG_LEVEL="debug") as worker:
        wait_for(after, lambda: after in worker.log)
        stop(worker)
    with instance.worker(**LONG) as worker:
        worker.wait_until_ready()
        stop(worker)
