"""What a second worker brings: the same events, waiting, for one worker and for two.

The broker is one Apache Kafka node on the same machine. Where it leaves no core to the second
worker the clock says little; CPU per event still does: if two workers spend no more of it than one,
each with a core of its own handles what one does.
"""

import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from app.kafka import topics
from app.publish.publish import publish
from app.settings.load import load_settings
from app.settings.model import default_rules_path
from tests.bench.events import events, profiles
from tests.kafka.cluster import KafkaCluster
from tests.process.running import RunningWorker, wait_for

_ROUNDS = 3
_DEADLINE_S = 900.0
_LOOK_S = 0.5


def scaling(count: int, customers: int) -> dict[str, float]:
    """Medians of three rounds in turn. ``scaling`` is two workers' events per second to one's, by
    CPU; the same by the clock is for machines with cores to spare.
    """
    found: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    with KafkaCluster(1) as cluster:
        for number in range(_ROUNDS):
            for workers in (1, 2) if number % 2 else (2, 1):
                name = f"round{number}-{workers}"
                found[workers].append(_round(cluster, name, workers, count, customers))
    cpu_us = {each: statistics.median(cpu for cpu, _ in found[each]) for each in found}
    per_s = {each: statistics.median(rate for _, rate in found[each]) for each in found}
    return {
        "events": count,
        "customers": customers,
        "one_cpu_us_per_event": round(cpu_us[1], 1),
        "two_cpu_us_per_event": round(cpu_us[2], 1),
        "one_events_per_s": round(per_s[1]),
        "two_events_per_s": round(per_s[2]),
        "scaling": round(2 * cpu_us[1] / cpu_us[2], 2),
        "scaling_by_the_clock": round(per_s[2] / per_s[1], 2),
    }


def _round(
    cluster: KafkaCluster, name: str, workers: int, count: int, customers: int
) -> tuple[float, float]:
    """CPU microseconds per event of all workers together, and events per second."""
    settings = load_settings(
        {
            "TRIGGER_BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
            "TRIGGER_APP_ID": name,
            "TRIGGER_TOPIC_PREFIX": f"{name}.",
        }
    )
    topics.create(settings)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        running = []
        for number in range(workers):
            variables = {
                "TRIGGER_DATA_DIR": f"{folder}/{number}",
                "TRIGGER_RULES": str(default_rules_path()),
                "TRIGGER_INSTANCE_ID": f"{name}-{number}",
                "TRIGGER_STANDBY_REPLICAS": "0",
            }
            worker = RunningWorker(settings, Path(folder) / f"{number}.log", variables)
            running.append(stack.enter_context(worker))
        for worker in running:
            worker.wait_until_ready()

        def handle(lines: list[bytes], total: int) -> tuple[float, float]:
            cpu_s, began = sum(each.cpu_s() for each in running), time.monotonic()
            publish(settings, lines, timestamps="occurred_at")
            wait_for(
                "all events",
                lambda: sum(each.metric("trigger_events_total") for each in running) >= total,
                _DEADLINE_S,
                _LOOK_S,
            )
            return sum(each.cpu_s() for each in running) - cpu_s, time.monotonic() - began

        now_ms = int(time.time() * 1000)
        handle(list(profiles(customers, now_ms)), customers)
        lines = list(events(count, customers, now_ms, 1000))
        cpu_s, took_s = handle(lines, customers + count)
        owned = [each.metric("trigger_customers") for each in running]
        assert all(owned), f"customers of each worker: {owned}"
        assert all(each.stop(30.0) == 0 for each in running)
    return cpu_s * 1e6 / count, count / took_s
