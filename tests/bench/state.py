"""``python -m tests.bench.state [--customers N] [--events-each N]``: the capacity figures.

Prints one JSON line: sizes of a customer's changelog entry and of its place on disk, and how fast a
worker with an empty volume rebuilds its state. The mix of events is that of ``tests.bench``, over
30 days, at the default rules. The embedded broker bounds the customers to some 150,000.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

import psutil
from confluent_kafka import Producer

from app import topics
from app.backtest.history import read_arrivals
from app.backtest.replay import Replay
from app.broker.embedded import EmbeddedBroker
from app.core.customer import Customer
from app.kafka import producer_config
from app.partitioning import partition_for
from app.rules_file import load_rules
from app.settings import default_rules_path, load_settings
from tables import records
from tables.layout import Head, pack_value
from tables.partition import Change, PartitionStore
from tests.bench.events import SPAN_MS, events, profiles
from tests.integration.running import RunningWorker, wait_for

_UNIT: Final = 1000
_FETCH: Final = 4000
_PARTITIONS: Final = 4
_DEADLINE_S: Final = 300


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.state", description=__doc__)
    parser.add_argument("--customers", type=int, default=50_000)
    parser.add_argument("--events-each", type=int, default=10)
    args = parser.parse_args()
    entries = customers(args.customers, args.events_each)
    sizes = sorted(len(value) for _, _, value in entries)
    print(
        json.dumps(
            {
                "customers": len(entries),
                "events_each": args.events_each,
                "entry_bytes_mean": round(sum(sizes) / len(sizes)),
                "entry_bytes_median": sizes[len(sizes) // 2],
                "entry_bytes_p99": sizes[len(sizes) * 99 // 100],
                "pending_steps_each": round(
                    sum(head.pending for _, head, _ in entries) / len(sizes), 2
                ),
                **on_disk(entries),
                **applied(entries),
                **recovery(entries),
            }
        )
    )


Entry = tuple[bytes, Head, bytes]


def customers(count: int, events_each: int) -> list[Entry]:
    """The customers' changelog entries after 30 days of events that end now."""
    replay = Replay(load_rules(default_rules_path()), lambda _: None)
    start_ms = int(time.time() * 1000) - SPAN_MS
    replay.run(read_arrivals(profiles(count, start_ms)))
    replay.run(read_arrivals(events(count * events_each, count, start_ms)))
    return [_entry(customer) for customer in replay.customers]


def _entry(customer: Customer) -> Entry:
    pending = sum(len(instance.steps) for instance in customer.instances)
    head = Head(customer.next_due_ms(), pending, False)
    return customer.customer_id.encode(), head, pack_value(head, records.encode(customer))


def on_disk(entries: list[Entry]) -> dict[str, float]:
    """Bytes of one partition's folder for each customer, written unit by unit, twice over."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "partition"
        store = PartitionStore(path)
        olds: dict[bytes, Head] = {}
        for offset in range(0, 2 * len(entries), _UNIT):
            start = offset % len(entries)
            changes = [
                Change(key, olds.get(key), head, value)
                for key, head, value in entries[start : start + _UNIT]
            ]
            store.write(changes, offset)
            olds.update((change.customer_id, change.new) for change in changes)
        store._db.flush()
        files = store.files_bytes()
        store.close()
        folder_bytes = sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    return {
        "disk_bytes_each": round(files / len(entries)),
        "folder_bytes_each": round(folder_bytes / len(entries)),
    }


class _Read(NamedTuple):
    """A record of the changelog."""

    offset: int
    key: bytes
    value: bytes
    timestamp: int


def applied(entries: list[Entry]) -> dict[str, float]:
    """CPU that a database takes to be rebuilt, for each entry: what a busy machine cannot blur."""
    read = [_Read(offset, key, value, 0) for offset, (key, _, value) in enumerate(entries)]
    with tempfile.TemporaryDirectory() as folder:
        store = PartitionStore(Path(folder) / "partition")
        began = time.process_time()
        for start in range(0, len(read), _FETCH):
            stretch = read[start : start + _FETCH]
            store.apply(stretch, stretch[-1].offset)
        cpu_s = time.process_time() - began
        store.close()
    return {"apply_cpu_us_each": round(cpu_s * 1e6 / len(entries), 1)}


def recovery(entries: list[Entry]) -> dict[str, float]:
    """A worker with an empty volume over a changelog with one entry for each customer."""
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        settings = load_settings(
            {
                "TRIGGER_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
                "TRIGGER_PARTITIONS": str(_PARTITIONS),
            }
        )
        topics.create(settings)
        producer = Producer(producer_config(settings))
        for key, _, value in entries:
            place = partition_for(key, _PARTITIONS)
            producer.produce(settings.changelog_topic, value, key, place)
        assert producer.flush(60.0) == 0
        variables = {
            "TRIGGER_DATA_DIR": f"{folder}/data",
            "TRIGGER_RULES": str(default_rules_path()),
        }
        began = time.monotonic()
        with RunningWorker(settings, Path(folder) / "worker.log", variables) as worker:
            wait_for("ready", lambda: worker.get("/ready")[0] == 200, _DEADLINE_S)
            ready_s = time.monotonic() - began
            rss_mb = psutil.Process(worker.process.pid).memory_info().rss / 2**20
            recovery_s = wait_for("figures", lambda: worker.metric("trigger_last_recovery_seconds"))
            found = wait_for("customers", lambda: worker.metric("trigger_customers"), _DEADLINE_S)
            assert found == len(entries), f"{found} customers of {len(entries)}\n{worker.log}"
    return {
        "ready_s": round(ready_s, 1),
        "recovery_s": round(recovery_s, 1),
        "recovered_per_s": round(len(entries) / recovery_s),
        "rss_mb": round(rss_mb),
    }


if __name__ == "__main__":
    main()
