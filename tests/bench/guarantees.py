"""What exactly once costs: CPU of two workers per event, one of each guarantee, fed in turn.

Both read their own topics of one Apache Kafka node by the wall clock; each stretch of events is
given to one, then to the other, so that what else the machine does falls on both. Between its
stretches a worker waits, and what it needs for waiting is not counted.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from app.kafka import topics
from app.publish.publish import publish
from app.settings.load import load_settings
from app.settings.model import Settings, default_rules_path
from tests.bench.events import events, profiles
from tests.kafka.cluster import KafkaCluster
from tests.process.running import RunningWorker, wait_for

_STRETCHES = 10
GUARANTEES = ("at_least_once", "exactly_once")


class _Fed:
    """A worker and what it was given."""

    def __init__(self, settings: Settings, running: RunningWorker) -> None:
        self.settings = settings
        self.running = running
        self.given = 0

    def feed(self, lines: list[bytes], rate: int | None = None) -> float:
        """Publish these, so many a second; CPU seconds until all are handled."""
        before = self.running.cpu_s()
        for piece in _paced(lines, rate):
            publish(self.settings, piece, timestamps="occurred_at")
        self.given += len(lines)
        wait_for("all", lambda: self.running.metric("trigger_events_total") >= self.given, 600)
        return self.running.cpu_s() - before


def guarantees(count: int, customers: int, rate: int | None = None) -> dict[str, float]:
    """Medians over the stretches, in microseconds; and of the ratios, stretch by stretch."""
    with KafkaCluster(1) as cluster, tempfile.TemporaryDirectory() as folder:
        workers = [_start(cluster, Path(folder), name) for name in GUARANTEES]
        try:
            now_ms = int(time.time() * 1000)
            known = list(profiles(customers, now_ms))
            for worker in workers:
                worker.feed(known)
            costs: list[list[float]] = [[], []]
            lines = list(events(count, customers, now_ms, 1000))
            size = count // _STRETCHES
            for number in range(_STRETCHES):
                stretch = lines[number * size : (number + 1) * size]
                for at in (0, 1) if number % 2 else (1, 0):
                    costs[at].append(workers[at].feed(stretch, rate) * 1e6 / size)
            transactions = workers[1].running.metric("trigger_transactions_total")
            assert [each.running.stop(30.0) for each in workers] == [0, 0]
        finally:
            for worker in workers:
                worker.running.__exit__(None, None, None)
    ratios = [exactly / least for least, exactly in zip(*costs, strict=True)]
    return {
        "events": count,
        "customers": customers,
        **{
            f"{name}_cpu_us_per_event": round(statistics.median(each), 1)
            for name, each in zip(GUARANTEES, costs, strict=True)
        },
        "ratio": round(statistics.median(ratios), 3),
        "least_ratio": round(min(ratios), 3),
        "most_ratio": round(max(ratios), 3),
        "events_per_transaction": round((count + customers) / transactions),
    }


def _paced(lines: list[bytes], rate: int | None) -> Iterator[list[bytes]]:
    """All of them, or what is due ten times a second."""
    size = len(lines) if rate is None else max(1, rate // 10)
    began = time.monotonic()
    for start in range(0, len(lines), size):
        if rate is not None:
            time.sleep(max(0.0, began + start / rate - time.monotonic()))
        yield lines[start : start + size]


def _start(cluster: KafkaCluster, folder: Path, guarantee: str) -> _Fed:
    prefix = guarantee.replace("_", "-")
    settings = load_settings(
        {
            "TRIGGER_BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
            "TRIGGER_APP_ID": prefix,
            "TRIGGER_TOPIC_PREFIX": f"{prefix}.",
        }
    )
    topics.create(settings)
    variables = {
        "TRIGGER_DATA_DIR": str(folder / guarantee),
        "TRIGGER_RULES": str(default_rules_path()),
        "TRIGGER_GUARANTEE": guarantee,
    }
    running = RunningWorker(settings, folder / f"{guarantee}.log", variables)
    running.wait_until_ready()
    return _Fed(settings, running)
