"""How long a worker takes until it is ready, with an empty disk and with one that has everything.

The changelog is written beforehand, one entry a customer: records as the backtest leaves them after
the benchmark's events at the default rules, under other ids. The broker is one Apache Kafka node
on the same machine, so it takes its share of the cores.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from confluent_kafka import Producer

from app.backtest.history import read_arrivals
from app.backtest.replay import Replay
from app.kafka import topics
from app.kafka.clients import producer_config
from app.kafka.partitioning import partition_for
from app.rules_file.load import load_rules
from app.settings.load import load_settings
from app.settings.model import Settings, default_rules_path
from tables import records
from tables.layout import Head, pack_value
from tests.bench.events import events, profiles
from tests.kafka.cluster import KafkaCluster
from tests.process.running import RunningWorker, wait_for

_PARTITIONS = 12
_SAMPLE = 2_000
_EVENTS_EACH = 6
_DEADLINE_S = 600.0


def recovery(customers: int) -> dict[str, float]:
    """Seconds from the start of the process to ``/ready``, and what it takes."""
    with KafkaCluster(1) as cluster, tempfile.TemporaryDirectory() as folder:
        variables = {
            "TRIGGER_BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
            "TRIGGER_PARTITIONS": str(_PARTITIONS),
        }
        settings = load_settings(variables)
        topics.create(settings)
        size = write_changelog(settings, customers)
        cold = _start(settings, Path(folder), customers)
        warm = _start(settings, Path(folder), customers)
        disk = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    return {
        "customers": customers,
        "bytes_per_record": round(size / customers),
        "cold_ready_s": round(cold["ready_s"], 1),
        "cold_records_per_s": round(customers / (cold["ready_s"] - warm["ready_s"])),
        "cold_cpu_us_per_record": round((cold["cpu_s"] - warm["cpu_s"]) * 1e6 / customers, 1),
        "cold_rss_mb": round(cold["rss_mb"]),
        "warm_ready_s": round(warm["ready_s"], 1),
        "warm_rss_mb": round(warm["rss_mb"]),
        "disk_mb": round(disk / 2**20),
    }


def write_changelog(settings: Settings, customers: int) -> int:
    """An entry for each customer; returns the bytes of all values."""
    producer = Producer(producer_config(settings) | {"linger.ms": 50, "batch.size": 1_000_000})
    size = 0
    for number, (key, value) in enumerate(entries(customers)):
        size += len(value)
        place = partition_for(key, _PARTITIONS)
        while True:
            try:
                producer.produce(settings.changelog_topic, value, key, place)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1000 == 0:
            producer.poll(0)
    assert producer.flush(120.0) == 0
    return size


def entries(customers: int) -> Iterator[tuple[bytes, bytes]]:
    """Changelog entries of customers as events of a month leave them."""
    replay = Replay(load_rules(default_rules_path()), lambda _: None)
    replay.run(read_arrivals(profiles(_SAMPLE)))
    replay.run(read_arrivals(list(events(_SAMPLE * _EVENTS_EACH, _SAMPLE))))
    sample = list(replay.customers)
    for number in range(customers):
        customer = sample[number % len(sample)]
        customer.customer_id = f"customer-{number:08d}"
        pending = sum(len(instance.steps) for instance in customer.instances)
        head = Head(customer.next_due_ms() + (1 << 40), pending, False)
        yield customer.customer_id.encode(), pack_value(head, records.encode(customer))


def _start(settings: Settings, folder: Path, customers: int) -> dict[str, float]:
    variables = {
        "TRIGGER_DATA_DIR": str(folder / "data"),
        "TRIGGER_RULES": str(default_rules_path()),
        "TRIGGER_INSTANCE_ID": "bench-0",
    }
    began = time.monotonic()
    with RunningWorker(settings, folder / "worker.log", variables) as running:
        process = psutil.Process(running.process.pid)
        peak = 0

        def is_ready() -> bool:
            nonlocal peak
            peak = max(peak, process.memory_info().rss)
            return running.get("/ready")[0] == 200

        wait_for("ready", is_ready, _DEADLINE_S)
        ready_s = time.monotonic() - began
        cpu_s = running.cpu_s()
        assert running.metric("trigger_customers") == customers, running.log
        assert running.stop(30.0) == 0, running.log
    os.sync()
    return {
        "ready_s": ready_s,
        "cpu_s": cpu_s,
        "rss_mb": peak / 2**20,
    }
