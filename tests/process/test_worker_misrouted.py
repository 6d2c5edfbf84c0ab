"""Records on a partition that is not their key's: handled as what they are, where they belong."""

import json
import time
import zlib
from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, Message, Producer

from app.kafka.clients import producer_config
from app.kafka.partitioning import partition_for
from app.publish.lines import outgoing
from tests.process.conftest import Instance
from tests.process.running import RunningWorker, Wire, wait_for
from tests.process.test_worker_clock import REHEARSAL, expected_of, history, in_order


def publish_by_crc32(wire: Wire, lines: list[bytes]) -> dict[tuple[str, int, int], str]:
    """As librdkafka does it by default; place -> event id of every record."""
    places: dict[tuple[str, int, int], str] = {}
    config = producer_config(wire.settings) | {"partitioner": "consistent", "linger.ms": 1}
    producer = Producer(config)

    def note(
        logical: str, value: bytes
    ) -> "Callable[[KafkaError | None, Message[bytes, bytes]], None]":
        def on_delivery(_: KafkaError | None, message: "Message[bytes, bytes]") -> None:
            partition, offset = message.partition(), message.offset()
            assert partition == zlib.crc32(message.key() or b"") % wire.partitions
            assert offset is not None
            places[logical, partition, offset] = json.loads(value)["event_id"]

        return on_delivery

    for line in lines:
        each = outgoing(line, "occurred_at")
        assert each.value is not None
        assert each.timestamp_ms is not None
        producer.produce(
            wire.settings.topic(each.topic),
            key=each.key,
            value=each.value,
            timestamp=each.timestamp_ms,
            on_delivery=note(each.topic, each.value),
        )
    assert producer.flush(10.0) == 0
    return places


def handled(worker: RunningWorker) -> float:
    """Records handled on their own partition."""
    return sum(
        worker.metric("trigger_events_total", outcome=outcome)
        for outcome in ("applied", "duplicate", "dead", "unknown", "skipped", "erased")
    )


def test_a_publisher_that_partitions_by_crc32_gets_the_backtests_decisions(
    instance: Instance,
) -> None:
    """Three of four records lie elsewhere; each decision names the place they were published to."""
    lines = history()
    expected, _ = expected_of(lines)
    places = publish_by_crc32(instance.wire, lines)
    elsewhere = sum(
        partition_for(json.loads(line)["customer_id"].encode(), instance.wire.partitions)
        != zlib.crc32(json.loads(line)["customer_id"].encode()) % instance.wire.partitions
        for line in lines
    )
    assert elsewhere > len(lines) / 2
    with instance.worker(**REHEARSAL) as worker:
        wait_for("all", lambda: handled(worker) == len(lines))
        found = instance.wire.wait_for_values("decisions", len(expected))
        assert worker.metric("trigger_misrouted_events_total") == elsewhere
        assert worker.stop() == 0, worker.log
    assert in_order(found) == expected
    for decision in found:
        cause = decision["cause"]
        place = cause["topic"], cause["partition"], cause["offset"]
        assert places[place] == cause["event_id"]
    for message in instance.wire.read("decisions"):
        assert message.partition() == partition_for(message.key() or b"", instance.wire.partitions)


def elsewhere(wire: Wire, customer_id: str, steps: int = 1) -> int:
    """A partition that is not the customer's."""
    return (partition_for(customer_id.encode(), wire.partitions) + steps) % wire.partitions


def test_a_purchase_that_waits_on_a_wrong_partition_stops_the_reminder(instance: Instance) -> None:
    """After an outage nothing is sent of what a misrouted purchase in the backlog has ended."""
    wire = instance.wire
    ids = instance.customers(20)
    with instance.worker() as worker:
        worker.wait_until_ready()
        for customer_id in ids:
            wire.event("orders", customer_id, "cart_updated", {"cart_id": "k"})
        wire.flush()
        wait_for("carts", lambda: worker.metric("trigger_timers_pending") >= 20)
        worker.kill()
    sent_before = len(wire.values("dispatch"))
    time.sleep(0.05)
    for number in range(3000):
        stranger = f"s{number % 300}"
        wire.event("orders", stranger, "product_viewed", {}, partition=number % wire.partitions)
    for steps, customer_id in enumerate(ids):
        place = elsewhere(wire, customer_id, 1 + steps % (wire.partitions - 1))
        wire.event("orders", customer_id, "order_placed", {"cart_id": "k"}, partition=place)
    wire.flush()
    time.sleep(6.5)  # the outage: both reminders of every cart are due now
    with instance.worker(TRIGGER_MAX_POLL_RECORDS="50") as worker:
        wait_for("all", lambda: handled(worker) >= 3020)
        wait_for("age", lambda: 0 < worker.metric("trigger_watermark_age_seconds") < 8)
        requests = wire.wait_for_values("dispatch", sent_before + 20)
        assert worker.metric("trigger_timers_pending") == 0
        assert worker.stop() == 0, worker.log
    after = [each for each in requests if each["trigger"] == "late_cart"]
    assert after == []
    thanks = [each["customer_id"] for each in requests if each["trigger"] == "order_placed"]
    assert sorted(thanks) == sorted(ids)


def test_a_dead_letter_names_the_place_it_was_published_to(instance: Instance) -> None:
    """Bytes, headers and key as they were, whichever partition found out what is wrong with it."""
    wire = instance.wire
    key = b"c1"
    place = elsewhere(wire, "c1")
    headers: list[tuple[str, str | bytes | None]] = [("from", b"a test"), ("empty", None)]
    wire.record("orders", key, b"not json", place, headers)
    wire.record(
        wire.settings.repartition_topic, b"c1", b"{}", headers=[("trigger-source-topic", b"orders")]
    )
    wire.event("orders", "c1", "order_placed", partition=place)
    wire.flush()
    with instance.worker() as worker:
        wire.wait_for_values("decisions", 1)
        dead = wait_for("dead letters", lambda: _all(wire.read("dead-letters"), 2))
        assert worker.stop() == 0, worker.log
    found = {dict(each.headers() or [])["trigger-error-reason"]: each for each in dead}
    broken = found[b"not_json"]
    assert (broken.key(), broken.value()) == (key, b"not json")
    says = dict(broken.headers() or [])
    assert says["from"] == b"a test"
    assert says["empty"] is None
    assert says["trigger-source-topic"] == wire.settings.topic("orders").encode()
    assert says["trigger-source-partition"] == str(place).encode()
    assert says["trigger-source-offset"] == b"0"
    assert "trigger-source-timestamp" not in says
    foreign = dict(found[b"not_rerouted"].headers() or [])
    assert foreign["trigger-source-topic"] == wire.settings.repartition_topic.encode()


def _all(messages: "list[Message[bytes, bytes]]", count: int) -> "list[Message[bytes, bytes]]":
    return messages if len(messages) >= count else []


def test_records_without_a_key_find_their_customer(instance: Instance) -> None:
    """They are spread over all partitions by a publisher that gives none."""
    wire = instance.wire
    ids = instance.customers(5)
    producer = Producer(producer_config(wire.settings))
    for number in range(40):
        value = {
            "event_id": f"k{number}",
            "type": "order_placed",
            "customer_id": ids[number % 5],
            "occurred_at": int(time.time() * 1000),
            "data": {"value": 1},
        }
        producer.produce(
            wire.settings.topic("orders"),
            value=json.dumps(value).encode(),
            partition=number % wire.partitions,
        )
    assert producer.flush(10.0) == 0
    with instance.worker() as worker:
        wait_for("all", lambda: worker.metric("trigger_events_total", outcome="applied") == 45)
        requests = wire.wait_for_values("dispatch", 40 + 10)
        assert worker.stop() == 0, worker.log
    thirds = [each["customer_id"] for each in requests if each["trigger"] == "third_order"]
    assert sorted(thirds) == sorted(ids * 2)


@pytest.mark.parametrize(
    ("broker", "guarantee", "crash_at"),
    [
        ("embedded", "at_least_once", "after 5 skip 3"),
        ("kafka", "exactly_once", "before 6 skip 1"),
    ],
    indirect=["broker"],
)
def test_a_crash_while_sending_on_applies_nothing_twice(
    instance: Instance, guarantee: str, crash_at: str
) -> None:
    """Sent on again after a kill: known by the place it was published to, far beyond 32 ids."""
    wire = instance.wire
    ids = instance.customers(2)
    for number in range(200):
        customer_id = ids[number % 2]
        wire.event(
            "orders",
            customer_id,
            "order_placed",
            {"value": 1},
            partition=elsewhere(wire, customer_id),
        )
    wire.flush()
    variables = {"TRIGGER_GUARANTEE": guarantee}
    with instance.worker(CRASH_AT=crash_at, TRIGGER_MAX_POLL_RECORDS="30", **variables) as worker:
        assert worker.wait() == -9
    if guarantee == "at_least_once":
        assert sum(wire.committed().values()) < 202
    with instance.worker(**variables) as worker:
        wait_for("commit", lambda: wire.committed() | {"profiles": 2} == _full(wire))
        wait_for(
            "requests", lambda: len({each["request_id"] for each in wire.values("dispatch")}) >= 266
        )
        assert worker.stop() == 0, worker.log
    sent_on = len(wire.read(wire.settings.repartition_topic))
    requests = wire.values("dispatch")
    if guarantee == "exactly_once":
        assert len(requests) == 266
    else:
        assert sent_on > 200
    distinct = {each["request_id"]: each for each in requests}
    thirds = [each for each in distinct.values() if each["trigger"] == "third_order"]
    assert (len(distinct), len(thirds)) == (266, 66)


def _full(wire: Wire) -> dict[str, int]:
    return {"orders": 200, "profiles": 2, "bookings": 0, "engagement": 0}
