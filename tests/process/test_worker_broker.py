"""A worker whose broker goes away: time stands still for it, and it still ends when told to.

On Apache Kafka only: the embedded broker forgets what it acknowledged when it is killed.
"""

import time
from collections import Counter
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaException

from tests.kafka.cluster import KafkaCluster
from tests.kafka.wanted import require_kafka
from tests.process.busy import busy_loops
from tests.process.conftest import Instance
from tests.process.running import Wire, wait_for

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def _cluster() -> Iterator[KafkaCluster]:
    require_kafka()
    with KafkaCluster() as cluster:
        yield cluster


@pytest.fixture
def broker(_cluster: KafkaCluster) -> KafkaCluster:
    """A broker that may be killed; it is there again for the next test."""
    _cluster.nodes[0].start()
    _cluster.wait_until_ready()
    return _cluster


def test_a_dead_broker_stalls_the_watermark(instance: Instance, broker: KafkaCluster) -> None:
    """No timer fires while unread records may wait at the broker; later all fire, once each."""
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
        broker.nodes[0].kill()
        wait_for("age", lambda: worker.metric("trigger_watermark_age_seconds", partition="0") > 6.5)
        assert worker.metric("trigger_timers_fired_total") == 4
        broker.nodes[0].start()
        broker.wait_until_ready()
        wait_for("late carts", lambda: worker.metric("trigger_timers_fired_total") == 8)
        wire.wait_for_values("dispatch", 8)
        assert worker.stop() == 0, worker.log


def test_sigterm_ends_a_worker_whose_broker_is_gone(
    instance: Instance, broker: KafkaCluster
) -> None:
    """With nothing in progress nothing is lost by cutting the good-bye to the group short."""
    with instance.worker() as worker:
        worker.wait_until_ready()
        broker.nodes[0].kill()
        assert worker.stop(10.0) == 0, worker.log


def committed(wire: Wire) -> int:
    """Orders committed; 0 while the broker that hung cannot say."""
    try:
        return wire.committed()["orders"]
    except KafkaException:
        return 0


@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
def test_sigterm_ends_a_worker_whose_broker_hangs_under_its_work(
    instance: Instance, broker: KafkaCluster, guarantee: str
) -> None:
    """What is in progress cannot be finished: it ends, busy machine or not, and nothing is lost."""
    wire = instance.wire
    ids = instance.customers(10)
    variables = {"TRIGGER_SESSION_TIMEOUT": "60s", "TRIGGER_GUARANTEE": guarantee}
    with instance.worker(**variables) as worker:
        worker.wait_until_ready()
        for number in range(3000):
            wire.event("orders", ids[number % 10], "order_placed", {"value": 1})
        wire.flush()
        wait_for("some", lambda: worker.metric("trigger_events_total") > 10)
        broker.nodes[0].freeze()
        try:
            with busy_loops(6):
                began = time.monotonic()
                assert worker.stop() in (0, 1), worker.log
                took_s = time.monotonic() - began
        finally:
            broker.nodes[0].thaw()
            broker.wait_until_ready()
    print(f"{guarantee}: a stop without a broker beside six busy loops took {took_s:.1f} s")
    with instance.worker(TRIGGER_GUARANTEE=guarantee) as worker:
        wait_for("all", lambda: committed(wire) == 3000)
        assert worker.stop() == 0, worker.log
    requests = {each["request_id"]: each["trigger"] for each in wire.values("dispatch")}
    assert Counter(requests.values()) == {"order_placed": 3000, "third_order": 1000}
