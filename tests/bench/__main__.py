"""``python -m tests.bench {backtest,worker,guarantees,recovery,kpis} [--events N] ...``.

Prints one JSON line: CPU microseconds per event and events per CPU second, of one process, at the
default rules. The profiles of all customers are read first and not counted; with ``--anonymous``
there are none but those among the events, and most steps find nobody to reach. Figures depend
on the machine and on what else it does: compare runs of one machine, side by side. ``guarantees``
(tests/bench/guarantees.py) does so with exactly once and at least once. ``recovery``
(tests/bench/recovery.py) measures how long a worker with so many customers takes to be ready.
``kpis`` summarises files of N outcomes (5 million by default) and their decisions, and prints
seconds and peak memory of the command.

``python -m tests.bench compare`` runs other hosts on the same job: see its ``--help``.
"""

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from app import topics
from app.backtest.history import read_arrivals
from app.backtest.replay import Replay
from app.broker.embedded import EmbeddedBroker
from app.core.decisions import Decision
from app.core.outcomes import SendOutcome
from app.huge_pages import use_huge_pages
from app.publish import publish
from app.rules_file import load_rules
from app.settings import Settings, default_rules_path, load_settings
from app.wire import written, written_outcome
from tests.bench.compare.command import main as compare
from tests.bench.events import events, profiles
from tests.bench.guarantees import guarantees
from tests.bench.outcomes import kpis
from tests.bench.recovery import recovery
from tests.integration.running import RunningWorker, wait_for

_CHUNKS = 20
_EVENTS = 100_000
_OUTCOMES = 5_000_000


def main() -> None:
    """Run one benchmark."""
    if sys.argv[1:2] == ["compare"]:
        sys.exit(compare(sys.argv[2:]))
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("what", choices=["backtest", "worker", "guarantees", "recovery", "kpis"])
    parser.add_argument("--events", type=int)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument(
        "--anonymous", action="store_true", help="no profiles beforehand: few can be reached"
    )
    parser.add_argument(
        "--rate", type=int, help="guarantees: events a second; default: all of a stretch at once"
    )
    args = parser.parse_args()
    if args.what == "recovery":
        print(json.dumps({"host": args.what, **recovery(args.customers)}))
        return
    if args.what == "guarantees":
        figures = guarantees(args.events or _EVENTS, args.customers, args.rate)
        print(json.dumps({"host": args.what, **figures}))
        return
    if args.what == "kpis":
        with tempfile.TemporaryDirectory() as folder:
            figures = kpis(Path(folder), args.events or _OUTCOMES)
        print(json.dumps({"host": args.what, **figures}))
        return
    events_asked = args.events or _EVENTS
    if args.what == "backtest":
        use_huge_pages()  # as the command does
    run = backtest if args.what == "backtest" else worker
    known = 0 if args.anonymous else args.customers
    print(json.dumps({"host": args.what, **run(events_asked, args.customers, known)}))


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
            cpu_before, began = _cpu_s(running), time.monotonic()
            now_ms = int(time.time() * 1000)
            _feed(settings, running, events(count, customers, now_ms, 1000), known + count)
            cpu_s, wall_s = _cpu_s(running) - cpu_before, time.monotonic() - began
            decided = running.metric("trigger_decisions_total") - decided_before
            peak_mb = psutil.Process(running.process.pid).memory_info().rss / 2**20
    figures = _figures(count, customers, cpu_s * 1e6 / count, int(decided))
    return figures | {"wall_s": round(wall_s, 1), "rss_mb": round(peak_mb)}


def _feed(settings: Settings, running: RunningWorker, lines: Iterable[bytes], applied: int) -> None:
    publish(settings, lines, timestamps="occurred_at")
    wait_for("all", lambda: running.metric("trigger_events_total") >= applied, 600)


def _cpu_s(running: RunningWorker) -> float:
    times = psutil.Process(running.process.pid).cpu_times()
    return times.user + times.system


def _figures(count: int, customers: int, cpu_us: float, decided: int) -> dict[str, float]:
    return {
        "events": count,
        "customers": customers,
        "cpu_us_per_event": round(cpu_us, 1),
        "events_per_cpu_s": round(1e6 / cpu_us),
        "decisions_per_event": round(decided / count, 2),
    }


if __name__ == "__main__":
    main()
