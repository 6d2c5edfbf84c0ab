"""Where a microsecond goes: CPU per event of a worker over the embedded broker, by layers.

``fetch`` is the thread that reads from the broker, ``librdkafka`` and ``rocksdb`` are those
libraries' own threads; the others run in the main thread, and ``loop`` is what is left of it.
"""

import os
import signal
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from app.compiled import PURE_PYTHON
from app.kafka import topics
from app.kafka.embedded_broker import EmbeddedBroker
from app.publish.publish import publish
from app.settings.load import load_settings
from app.settings.model import Settings, default_rules_path
from tests.bench.events import events, profiles
from tests.process.running import RunningWorker, wait_for

_LOOK_S = 0.5


class _Sums(msgspec.Struct):
    """Microseconds of CPU since the worker began, and what measuring took of them."""

    layers: dict[str, float]
    threads: dict[str, float]
    overhead: float


def profile(count: int, customers: int, guarantee: str) -> dict[str, float]:
    """Microseconds per event by layer, of ``count`` events that lay on the topics already."""
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = load_settings({"TRIGGER_BOOTSTRAP_SERVERS": broker.bootstrap_servers})
        topics.create(settings)
        now_ms = int(time.time() * 1000)
        _run(settings, folder, guarantee, profiles(customers, now_ms), customers)
        now_ms = int(time.time() * 1000)
        lines = events(count, customers, now_ms, 1000)
        return _figures(*_run(settings, folder, guarantee, lines, count))


def _run(
    settings: Settings, folder: Path, guarantee: str, lines: Iterable[bytes], count: int
) -> tuple[_Sums, _Sums, float]:
    """What a worker had spent when it was ready, and in the end; how many events came between."""
    publish(settings, lines, timestamps="occurred_at")
    variables = {
        "TRIGGER_DATA_DIR": str(folder / "data"),
        "TRIGGER_RULES": str(default_rules_path()),
        "TRIGGER_GUARANTEE": guarantee,
        "TRIGGER_INSTANCE_ID": "bench-0",
        "PROFILE": str(folder / "profile.json"),
        # what is compiled calls past the wrapped functions
        PURE_PYTHON: "1",
    }
    module = "tests.bench.profiled_worker"
    with RunningWorker(settings, folder / "worker.log", variables, module=module) as running:
        running.wait_until_ready()
        before = _sums(running, folder)
        done = running.metric("trigger_events_total")
        wait_for("all", lambda: running.metric("trigger_events_total") >= count, 600, _LOOK_S)
        after = _sums(running, folder)
        assert running.stop(30.0) == 0, running.log
    return before, after, count - done


def _figures(before: _Sums, after: _Sums, handled: float) -> dict[str, float]:
    assert handled > 0, "too few events: all were handled before the first look"
    layers = {name: (after.layers[name] - spent) / handled for name, spent in before.layers.items()}
    threads = {
        name: (after.threads[name] - spent) / handled for name, spent in before.threads.items()
    }
    overhead = (after.overhead - before.overhead) / handled
    main = threads.pop("main") - overhead
    rows = {**layers, "loop": main - sum(layers.values()), **threads}
    return {name: round(us, 1) for name, us in rows.items()} | {
        "all": round(main + sum(threads.values()), 1)
    }


def _sums(running: RunningWorker, folder: Path) -> _Sums:
    path = folder / "profile.json"
    path.unlink(missing_ok=True)
    os.kill(running.process.pid, signal.SIGUSR1)
    wait_for("the profile", path.exists)
    return msgspec.json.decode(path.read_bytes(), type=_Sums)
