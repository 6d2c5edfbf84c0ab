"""Clients of other languages publish events and read dispatch, each as it is by default."""

import json
import time

import pytest
from confluent_kafka import Producer

from app.kafka.clients import transactional_config
from app.kafka.embedded_broker import EmbeddedBroker
from app.kafka.partitioning import partition_for
from app.settings.load import load_settings
from app.settings.model import Settings
from tests.kafka.cluster import KafkaCluster
from tests.process.clients import Client, build
from tests.process.conftest import Instance
from tests.process.running import wait_for

#: Keys of all lengths that murmur2 treats apart, and beyond ASCII.
CUSTOMERS = ["a", "b2", "c33", "d444", "Zoë", "李", *(f"customer-{n}" for n in range(14))]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("kafkajs", marks=pytest.mark.needs_node),
        pytest.param("franz", marks=pytest.mark.needs_go),
        pytest.param("java", marks=[pytest.mark.needs_javac, pytest.mark.needs_kafka]),
    ],
)
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """Built once for all brokers."""
    return build(request.param, tmp_path_factory.mktemp(request.param))


def event(customer_id: str, name: str, **data: str) -> tuple[bytes, bytes]:
    """Key and value of a record."""
    value = {
        "event_id": f"{name}-{customer_id}",
        "type": name,
        "customer_id": customer_id,
        "occurred_at": time.time_ns() // 1_000_000,
        "data": data,
    }
    return customer_id.encode(), json.dumps(value).encode()


@pytest.mark.slow
def test_its_events_are_where_they_belong_and_it_reads_what_is_sent(
    client: Client, instance: Instance, settings: Settings, broker: EmbeddedBroker | KafkaCluster
) -> None:
    """Nothing is misrouted; each send comes once, compressed as the engine or, after it, the broker
    did, and nothing of a transaction that was aborted.
    """
    servers = settings.bootstrap_servers
    profiles = [event(each, "profile_updated", email=f"{each}@example.org") for each in CUSTOMERS]
    client.publish(servers, settings.topic("profiles"), profiles)
    with instance.worker() as worker:
        worker.wait_until_ready()
        codec = "gzip" if isinstance(broker, EmbeddedBroker) else "lz4"
        assert f"compression={codec}" in worker.log
        orders = [event(each, "order_placed", order_id="o-1") for each in CUSTOMERS]
        client.publish(servers, settings.topic("orders"), orders)
        wait_for(
            "all sends",
            lambda: worker.metric("trigger_decisions_total", outcome="send") == len(CUSTOMERS),
        )
        assert worker.metric("trigger_events_total", outcome="applied") == 2 * len(CUSTOMERS)
        assert worker.metric("trigger_misrouted_events_total") == 0
        assert worker.stop() == 0
    # the embedded broker hands out nothing of a producer that once aborted
    if isinstance(broker, KafkaCluster):
        _abort_requests(settings)
    last = event("last", "end")
    client.publish(servers, settings.topic("dispatch"), [last])

    received = client.read(servers, settings.topic("dispatch"), len(CUSTOMERS) + 1)

    sends = [record for record in received if record.key != b"last"]
    assert sorted(record.key.decode() for record in sends) == sorted(CUSTOMERS)
    for record in sends:
        request = json.loads(record.value)
        assert request["customer_id"] == record.key.decode()
        assert request["address"] == f"{record.key.decode()}@example.org"
        assert request["kind"] == "send"
    for record in received:
        assert record.partition == partition_for(record.key, settings.partitions)


def _abort_requests(settings: Settings) -> None:
    """Requests on every partition that nobody must act on."""
    other = load_settings(
        {
            "TRIGGER_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "TRIGGER_TOPIC_PREFIX": settings.topic_prefix,
            "TRIGGER_APP_ID": f"{settings.app_id}-aborts",
        }
    )
    producer = Producer(transactional_config(other))
    producer.init_transactions(60)
    producer.begin_transaction()
    for partition in range(settings.partitions):
        producer.produce(settings.topic("dispatch"), b"{}", b"aborted", partition)
    assert producer.flush(60) == 0
    producer.abort_transaction(60)
