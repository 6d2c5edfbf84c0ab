"""``python -m tests.bench.state [--customers N] [--events-each N]``: the capacity figures.

Prints one JSON line: sizes of a customer's changelog entry and of its place on disk. The mix of
events is that of ``tests.bench``, over 30 days, at the default rules. How fast state is rebuilt is
for ``python -m tests.bench recovery``.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Final

from app.backtest.history import read_arrivals
from app.backtest.replay import Replay
from app.core.customer.record import Customer
from app.rules_file.load import load_rules
from app.settings.model import default_rules_path
from tables import records
from tables.layout import Head, head_of, pack_value
from tables.partition import Change, PartitionStore
from tests.bench.events import SPAN_MS, events, profiles

_UNIT: Final = 1000


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.state", description=__doc__)
    parser.add_argument("--customers", type=int, default=50_000)
    parser.add_argument("--events-each", type=int, default=10)
    args = parser.parse_args()
    entries = customers(args.customers, args.events_each)
    sizes = sorted(len(value) for _, value in entries)
    print(
        json.dumps(
            {
                "customers": len(entries),
                "events_each": args.events_each,
                "entry_bytes_mean": round(sum(sizes) / len(sizes)),
                "entry_bytes_median": sizes[len(sizes) // 2],
                "entry_bytes_p99": sizes[len(sizes) * 99 // 100],
                "pending_steps_each": round(
                    sum(head_of(value).pending for _, value in entries) / len(sizes), 2
                ),
                **on_disk(entries),
            }
        )
    )


Entry = tuple[bytes, bytes]


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
    return customer.customer_id.encode(), pack_value(head, records.encode(customer))


def on_disk(entries: list[Entry]) -> dict[str, float]:
    """Bytes of one partition's folder for each customer, written unit by unit, twice over."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "partition"
        store = PartitionStore(path)
        olds: dict[bytes, bytes] = {}
        for offset in range(0, 2 * len(entries), _UNIT):
            start = offset % len(entries)
            changes = [
                Change(key, olds.get(key), value) for key, value in entries[start : start + _UNIT]
            ]
            store.write(changes, offset)
            olds.update(entries[start : start + _UNIT])
        store._db.flush()
        files = store.files_bytes()
        store.close()
        folder_bytes = sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    return {
        "disk_bytes_each": round(files / len(entries)),
        "folder_bytes_each": round(folder_bytes / len(entries)),
    }


if __name__ == "__main__":
    main()
