"""Thousands of records that mean harm, through a live worker, with good ones in between."""

import gzip
import os
import time
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka import Producer

from app.kafka.clients import producer_config
from app.rules_file.yaml_reader import read_yaml
from app.settings.model import default_rules_path
from tests.poison import poison
from tests.process.conftest import Instance
from tests.process.running import RunningWorker, Wire, wait_for

CHART: Final = Path(__file__).parents[2] / "deploy" / "chart" / "values.yaml"
RECORDS = 4000
FUZZED = 20_000
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


@pytest.mark.soak
@pytest.mark.parametrize("broker", ["kafka"], indirect=True)
def test_memory_is_far_below_what_the_chart_gives(instance: Instance) -> None:
    """With the default rules, over 260 MB of records that mean harm: nothing of them is kept."""
    wire = instance.wire
    for seed in range(FUZZED):
        record = poison(seed, int(time.time() * 1000))
        wire.record(
            record.topic, record.key, record.value, seed % wire.partitions, [*record.headers]
        )
    wire.flush()
    with instance.worker(TRIGGER_RULES=str(default_rules_path())) as worker:
        wait_for("all", lambda: is_through(worker))
        most_mib = peak_mib(worker)
        assert worker.stop() == 0, worker.log
    limit_mib = mib(read_yaml(CHART.read_bytes())["resources"]["limits"]["memory"])
    print(f"{most_mib:.0f} MiB at most, the chart's limit is {limit_mib} MiB")
    assert most_mib <= 0.6 * limit_mib


def peak_mib(worker: RunningWorker) -> float:
    """The most memory that the worker has had resident."""
    lines = Path(f"/proc/{worker.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def mib(quantity: str) -> int:
    """Of a quantity as Kubernetes writes it."""
    number, unit = quantity[:-2], quantity[-2:]
    return int(number) * {"Mi": 1, "Gi": 1024}[unit]


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
