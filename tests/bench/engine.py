"""CPU per event of the engine itself: the backtest's path, and one worker over a broker."""

import gc
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from app.backtest.history import read_arrivals
from app.backtest.replay import Replay
from app.core.decisions import Decision
from app.core.outcomes import SendOutcome
from app.formats.encode import written, written_outcome
from app.kafka import topics
from app.kafka.embedded_broker import EmbeddedBroker
from app.publish.publish import publish
from app.rules_file.load import load_rules
from app.settings.load import load_settings
from app.settings.model import Settings, default_rules_path
from tests.bench.events import events, profiles
from tests.process.running import RunningWorker, wait_for

_CHUNKS = 20
_LOOK_S = 0.5
_DEADLINE_S = 600.0


def backtest(count: int, customers: int, known: int) -> dict[str, float]:
    """The backtest's path from a line to written decisions and outcomes, with the best and the
    median of 20 stretches: on a shared machine the best is nearest to the truth.
    """
    gc.disable()
    decided = 0

    def emit(decision: Decision) -> None:
        nonlocal decided
        decided += 1
        written(decision)

    def emit_outcome(outcome: SendOutcome) -> None:
        written_outcome(outcome)

    replay = Replay(load_rules(default_rules_path()), emit, outcome=emit_outcome)
    replay.run(read_arrivals(profiles(known)))
    lines = list(events(count, customers))
    size = max(1, len(lines) // _CHUNKS)
    stretches = []
    decided = 0
    for start in range(0, len(lines), size):
        chunk = lines[start : start + size]
        began = time.process_time()
        replay.run(read_arrivals(chunk))
        stretches.append((time.process_time() - began) * 1e6 / len(chunk))
    median = sorted(stretches)[len(stretches) // 2]
    return _figures(count, customers, median, decided) | {
        "best_cpu_us_per_event": round(min(stretches), 1)
    }


def worker(count: int, customers: int, known: int) -> dict[str, float]:
    """One worker over the embedded broker by the wall clock: CPU of the whole process.

    The events happen now, so that reminders are set and wait, as in production.
    """
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"TRIGGER_BOOTSTRAP_SERVERS": broker.bootstrap_servers})
        topics.create(settings)
        variables = {
            "TRIGGER_DATA_DIR": f"{folder}/data",
            "TRIGGER_RULES": str(default_rules_path()),
            "TRIGGER_CLOCK": "wall",
            "TRIGGER_INSTANCE_ID": "bench-0",
        }
        with RunningWorker(settings, Path(folder) / "worker.log", variables) as running:
            running.wait_until_ready()
            now_ms = int(time.time() * 1000)
            _feed(settings, running, profiles(known, now_ms), known)
            decided_before = running.metric("trigger_decisions_total")
            cpu_before, began = running.cpu_s(), time.monotonic()
            now_ms = int(time.time() * 1000)
            _feed(settings, running, events(count, customers, now_ms, 1000), known + count)
            cpu_s, wall_s = running.cpu_s() - cpu_before, time.monotonic() - began
            decided = running.metric("trigger_decisions_total") - decided_before
            peak_mb = psutil.Process(running.process.pid).memory_info().rss / 2**20
    figures = _figures(count, customers, cpu_s * 1e6 / count, int(decided))
    return figures | {"wall_s": round(wall_s, 1), "rss_mb": round(peak_mb)}


def _feed(settings: Settings, running: RunningWorker, lines: Iterable[bytes], applied: int) -> None:
    publish(settings, lines, timestamps="occurred_at")
    # asked rarely: to answer costs the worker what is being measured
    wait_for("all", lambda: running.metric("trigger_events_total") >= applied, _DEADLINE_S, _LOOK_S)


def _figures(count: int, customers: int, cpu_us: float, decided: int) -> dict[str, float]:
    return {
        "events": count,
        "customers": customers,
        "cpu_us_per_event": round(cpu_us, 1),
        "events_per_cpu_s": round(1e6 / cpu_us),
        "decisions_per_event": round(decided / count, 2),
    }
