"""Thousands of records that mean harm, through a live worker, with good ones in between."""

import gzip
import os
import time

import pytest
from confluent_kafka import Producer

from app.kafka.clients import producer_config
from tests.poison import poison
from tests.process.conftest import Instance
from tests.process.running import RunningWorker, Wire, wait_for

RECORDS = 4000
PLACE = ("topic", "partition", "offset")
ENDS = ("applied", "duplicate", "dead", "unknown", "skipped", "erased")


def handled(worker: RunningWorker) -> float:
    """Records that came to their end, wherever they were published."""
    return sum(worker.metric("trigger_events_total", outcome=each) for each in ENDS)


def is_through(worker: RunningWorker) -> bool:
    """Nothing is left to read. Of profiles the broker may have dropped what newer ones replaced."""
    return handled(worker) > 0 and worker.metric("trigger_consumer_lag_records") == 0


def thanks(wire: Wire, ids: list[str]) -> set[str]:
    """Orders of these customers that were thanked for."""
    return {
        each["cause"]["event_id"]
        for each in wire.values("dispatch")
        if each["trigger"] == "order_placed" and each["customer_id"] in ids
    }


def test_dead_letters_only(instance: Instance) -> None:
    """The worker stays up, every good record is applied, nothing is left unread."""
    wire = instance.wire
    ids = instance.customers(10)
    good = 0
    for seed in range(RECORDS):
        record = poison(seed, int(time.time() * 1000))
        place = seed % wire.partitions
        wire.record(record.topic, record.key, record.value, place, [*record.headers])
        if seed % 10 == 0:
            wire.event("orders", ids[good % 10], "order_placed", {"value": 1})
            good += 1
    wire.flush()
    with instance.worker() as worker:
        wait_for("all", lambda: is_through(worker) and len(thanks(wire, ids)) == good)
        assert handled(worker) > RECORDS / 2
        assert worker.get("/live")[0] == 200
        dead = worker.metric("trigger_dead_letters_total")
        assert worker.stop() == 0, worker.log
    assert RECORDS / 4 < dead < RECORDS
    # some may have come by way of other partitions since the metric was read
    letters = [dict(each.headers() or []) for each in wire.read("dead-letters")]
    assert dead <= len(letters) < RECORDS
    places = {tuple(each[f"trigger-source-{part}"] for part in PLACE) for each in letters}
    assert len(places) == len(letters)
    assert len(thanks(wire, ids)) == good


@pytest.mark.parametrize("broker", ["kafka"], indirect=True)
def test_the_largest_records_that_a_broker_takes(instance: Instance) -> None:
    """What fits onto an input fits onto the dead letters, or loses its end and says so."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    config = producer_config(wire.settings)
    topic = wire.settings.topic("orders")
    plain = Producer(config | {"compression.type": "none"})
    plain.produce(topic, os.urandom(1_048_000), customer_id.encode(), 0)
    plain.produce(topic, b"{}", b"k", 1, headers=[("h", os.urandom(1_040_000))])
    packed = Producer(config | {"compression.type": "gzip"})
    packed.produce(topic, bytes(40 << 20), customer_id.encode(), 2)
    packed.produce(topic, gzip.compress(bytes(9)), customer_id.encode(), 3)
    assert plain.flush(10.0) + packed.flush(10.0) == 0
    wire.event("orders", customer_id, "order_placed", {"value": 1})
    wire.flush()
    with instance.worker() as worker:
        wire.wait_for_values("dispatch", 1)
        wait_for("dead letters", lambda: worker.metric("trigger_dead_letters_total") == 4)
        dead = wire.read("dead-letters")
        assert worker.stop() == 0, worker.log
    sizes = sorted(len(each.value() or b"") for each in dead)
    assert sizes[-2] == 1_048_000
    assert sizes[-1] > 7 << 20
    (cut,) = (each for each in dead if "trigger-cut" in dict(each.headers() or []))
    assert dict(cut.headers() or [])["trigger-cut"] == b"%d" % (40 << 20)
