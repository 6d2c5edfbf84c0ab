"""What deploy/RUNBOOK.md says of procedures, done to a real worker."""

import time
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from app.kafka import topics
from app.kafka.clients import admin_config, consumer_config
from tests.process.conftest import Instance
from tests.process.running import Wire, wait_for

ORDERS = 3
#: A member without a name is out of the group at once; one with a name stays for a minute.
LEAVES = {"TRIGGER_INSTANCE_ID": ""}


def order(instance: Instance, ids: list[str]) -> None:
    """One order of each."""
    for customer_id in ids:
        instance.wire.event("orders", customer_id, "order_placed", {"value": 5})
    instance.wire.flush()


def skipped(worker: Any) -> float:
    found: float = worker.metric("trigger_events_total", topic="orders", outcome="skipped")
    return found


def rewind(wire: Wire) -> None:
    """The group starts at the beginning of ``orders`` again, as with kafka-consumer-groups."""
    settings = wire.settings
    reader = Consumer(consumer_config(settings))
    try:
        start = [
            TopicPartition(settings.topic("orders"), number, 0) for number in range(wire.partitions)
        ]
        reader.commit(offsets=start, asynchronous=False)
    finally:
        reader.close()


def test_reading_an_hour_again_changes_nothing(instance: Instance) -> None:
    """ "Replaying an hour": a rewound group skips what a customer's record already holds."""
    wire = instance.wire
    ids = instance.customers(2)
    order(instance, ids)
    with instance.worker(**LEAVES) as worker:
        wire.wait_for_values("dispatch", len(ids))
        assert worker.stop() == 0
    rewind(wire)
    assert wire.committed()["orders"] == 0
    with instance.worker() as worker:
        wait_for("skipped", lambda: skipped(worker) == len(ids))
        assert worker.stop() == 0
    assert len(wire.values("dispatch")) == len(ids)


def test_corrected_events_are_taken_under_new_ids_only(instance: Instance) -> None:
    """ "Replaying an hour": published again, the old ids are duplicates and new ones count."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    wire.event("orders", customer_id, "order_placed", event_id="wrong")
    wire.event("orders", customer_id, "order_placed", event_id="wrong")
    wire.event("orders", customer_id, "order_placed", event_id="wrong-corrected")
    wire.flush()
    with instance.worker() as worker:
        wire.wait_for_values("dispatch", 2)
        worker.wait_until_ready()
        assert worker.metric("trigger_duplicates_total") == 1


def test_a_topic_that_was_made_anew_is_skipped_and_says_so(instance: Instance) -> None:
    """TriggersEventsSkipped: offsets begin at 0 again, and the records hold higher ones."""
    wire = instance.wire
    ids = instance.customers(1)
    for _ in range(ORDERS):
        order(instance, ids)
    with instance.worker(**LEAVES) as worker:
        wire.wait_for_values("dispatch", ORDERS + ORDERS // 3)
        assert worker.stop() == 0
    admin = AdminClient(admin_config(wire.settings))
    admin.delete_topics([wire.settings.topic("orders")])[wire.settings.topic("orders")].result()
    wait_for(
        "gone", lambda: wire.settings.topic("orders") not in admin.list_topics(timeout=60).topics
    )
    assert topics.create(wire.settings).created == (wire.settings.topic("orders"),)
    rewind(wire)
    instance.wire = Wire(wire.settings, wire.partitions)
    order(instance, ids)
    with instance.worker() as worker:
        wait_for("skipped", lambda: skipped(worker) == 1)
        assert worker.stop() == 0
    assert len(wire.values("dispatch")) == ORDERS + ORDERS // 3


def test_history_rehearsed_then_live(instance: Instance) -> None:
    """ "Another cluster": state of a rehearsal, its outputs aside, goes on by the wall."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    hour_ago_ms = int(time.time() * 1000) - 3_600_000
    for number in range(2):
        wire.event("orders", customer_id, "order_placed", occurred_ms=hour_ago_ms + number)
    wire.flush()
    aside = {
        "TRIGGER_TOPIC_DISPATCH": "aside",
        "TRIGGER_TOPIC_DECISIONS": "aside-decisions",
        "TRIGGER_TOPIC_OUTCOMES": "aside-outcomes",
    }
    with instance.worker(TRIGGER_CLOCK="records", **aside) as worker:
        wait_for("rehearsed", lambda: worker.metric("trigger_decisions_total") == 2)
        assert worker.stop() == 0
    with instance.worker() as worker:
        worker.wait_until_ready()
        wire.event("orders", customer_id, "order_placed")
        wire.flush()
        requests = wire.wait_for_values("dispatch", 2)
        assert {each["trigger"] for each in requests} == {"order_placed", "third_order"}
        assert worker.stop() == 0
