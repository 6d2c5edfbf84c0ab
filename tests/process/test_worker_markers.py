"""Publishers that write in transactions: their markers leave no lag once all is read.

On Apache Kafka only: the embedded broker writes no markers.
"""

import json
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from app.kafka.clients import consumer_config, transactional_config
from app.kafka.partitioning import partition_for
from app.settings.model import Settings
from tests.process.conftest import Instance
from tests.process.running import committed, wait_for

pytestmark = pytest.mark.parametrize("broker", ["kafka"], indirect=True)

ACCEPT_S = 30.0
CUSTOMER = b"ann"


@pytest.fixture
def publisher(settings: Settings) -> Producer:
    """Ready to begin a transaction."""
    config = transactional_config(settings) | {"transactional.id": f"{settings.app_id}-publisher"}
    producer = Producer(config)
    producer.init_transactions(ACCEPT_S)
    return producer


def publish(publisher: Producer, settings: Settings, event_id: str, *, commits: bool) -> None:
    """An order in a transaction of its own."""
    envelope = {
        "event_id": event_id,
        "type": "order_placed",
        "customer_id": CUSTOMER.decode(),
        "occurred_at": int(time.time() * 1000),
        "data": {"value": 1},
    }
    publisher.begin_transaction()
    place = partition_for(CUSTOMER, settings.partitions)
    publisher.produce(settings.topic("orders"), json.dumps(envelope), CUSTOMER, place)
    assert publisher.flush(ACCEPT_S) == 0
    if commits:
        publisher.commit_transaction(ACCEPT_S)
    else:
        publisher.abort_transaction(ACCEPT_S)


def ends(settings: Settings) -> Iterator[tuple[int, int]]:
    """The committed offset and the end of each partition of ``orders`` that was read of."""
    reader = Consumer(consumer_config(settings))
    try:
        topic = settings.topic("orders")
        asked = [TopicPartition(topic, number) for number in range(settings.partitions)]
        for found in committed(reader, asked):
            if found.offset >= 0:
                yield found.offset, reader.get_watermark_offsets(found, timeout=ACCEPT_S)[1]
    finally:
        reader.close()


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_what_is_committed_reaches_the_end_behind_markers(
    instance: Instance, publisher: Producer, settings: Settings, guarantee: str
) -> None:
    """Those of committed and of aborted transactions, as they come and after a restart; the group's
    lag, as others see it, is 0.
    """
    instance.customers(1)
    with instance.worker(TRIGGER_GUARANTEE=guarantee) as worker:
        publish(publisher, settings, "o1", commits=True)
        wait_for("no lag", lambda: list(ends(settings)) == [(2, 2)])
        publish(publisher, settings, "o2", commits=False)
        wait_for("no lag", lambda: list(ends(settings)) == [(4, 4)])
        assert worker.stop() == 0, worker.log
    publish(publisher, settings, "o3", commits=True)
    publish(publisher, settings, "o4", commits=False)
    with instance.worker(TRIGGER_GUARANTEE=guarantee) as worker:
        wait_for("no lag", lambda: list(ends(settings)) == [(8, 8)])
        assert worker.metric("trigger_consumer_lag_records") == 0
        assert worker.stop() == 0, worker.log
    causes = [each["cause"]["event_id"] for each in instance.wire.values("decisions")]
    assert causes == ["o1", "o3"]
