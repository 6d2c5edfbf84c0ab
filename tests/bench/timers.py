"""Timers at scale: what one costs while it waits, and how fast many fire that are due together.

``pending`` customers lie in the database of one partition, each with a step that waits; then
``burst`` more, all due at the same instant, fire in units as in a worker. Afterwards a real worker
over a broker has ``live`` of them due at the same instant while events of others keep coming.
"""

import gc
import json
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from app.backtest.history import read_arrivals
from app.backtest.replay import Replay
from app.core.customer.record import Customer
from app.core.decisions import Decision
from app.core.engine import Engine
from app.core.time.instants import END_OF_TIME_MS
from app.formats.encode import written
from app.kafka import topics
from app.kafka.embedded_broker import EmbeddedBroker
from app.live.partition.context import Pace
from app.publish.publish import publish
from app.rules_file.load import load_rules
from app.settings.load import load_settings
from app.settings.model import Settings
from tables import records
from tables.customers import PartitionCustomers
from tables.layout import Head, pack_value
from tables.opening import shared_cache
from tables.partition import Change, PartitionStore
from tests.bench.events import START_MS
from tests.process.running import RunningWorker, wait_for

_RULES = """\
version: 1
channels: {email: {requires: email}}
triggers:
  cart: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [order_placed],
         after: DELAY, template: cart, channels: [email], category: transactional}
"""
_FAR_MS = 30 * 86_400_000
_UNIT = 1000
_PASSES = 1000
_LIVE_DELAY_S = 30
_RATE = 1000
_LOOK_S = 0.5
_BUCKET = re.compile(r'trigger_event_lag_seconds_bucket\{.*le="([^"]+)".*\} (\S+)')


def timers(pending: int, burst: int, live: int) -> dict[str, float]:
    """Figures of one run, without the worker's when ``live`` is 0."""
    with tempfile.TemporaryDirectory() as folder:
        figures = _at_rest(Path(folder), pending, burst)
        if live:
            figures |= _in_a_worker(Path(folder), live)
    return figures


def _at_rest(folder: Path, pending: int, burst: int) -> dict[str, float]:
    rules = folder / "rules.yaml"
    rules.write_text(_RULES.replace("DELAY", "30m"))
    store = PartitionStore(folder / "partition", shared_cache())
    gc.disable()
    few = min(pending, 100_000)
    without_us = _put(store, "n", few, None)
    with_us = _put(store, "s", few, START_MS + _FAR_MS)
    empty_mb = _rss_mb()
    _put(store, "w", pending - few, START_MS + _FAR_MS)
    figures = {
        "pending": pending,
        "write_us": round(without_us, 1),
        "write_with_timer_us": round(with_us, 1),
        "rss_growth_mb": round(_rss_mb() - empty_mb),
    }
    _put(store, "b", burst, START_MS)
    customers = PartitionCustomers(store)
    made: list[Decision] = []
    task = Engine(load_rules(rules), customers, made.append)
    began = time.process_time()
    fired = 0
    most = Pace().unit_customers
    while customers.earliest_due_ms() <= START_MS:
        bound_ms = customers.bound_ms(START_MS, most)
        fired += task.fire_due(bound_ms, START_MS + 5_000)
        for decision in made:
            written(decision)
        made.clear()
        store.write(customers.changes(), store.progress.offset + 1)
        customers.reset()
    fire_s = time.process_time() - began
    assert fired == burst
    began = time.perf_counter()
    for _ in range(_PASSES):
        customers.reset()
        assert customers.earliest_due_ms() > START_MS
    pass_ms = (time.perf_counter() - began) * 1000 / _PASSES
    store.close()
    return figures | {
        "burst": burst,
        "fired_per_cpu_s": round(burst / fire_s),
        "pass_with_none_due_ms": round(pass_ms, 3),
    }


def _put(store: PartitionStore, prefix: str, count: int, due_ms: int | None) -> float:
    """Write customers with a step due then; CPU microseconds for each."""
    customer = _customer(due_ms)
    began = time.process_time()
    for start in range(0, count, _UNIT):
        changes = []
        for number in range(start, min(start + _UNIT, count)):
            customer.customer_id = f"{prefix}-{number:08d}"
            head = Head(
                END_OF_TIME_MS if due_ms is None else due_ms, int(due_ms is not None), False
            )
            value = pack_value(head, records.encode(customer))
            changes.append(Change(customer.customer_id.encode(), None, value))
        store.write(changes, store.progress.offset + 1)
    return (time.process_time() - began) * 1e6 / max(1, count)


def _customer(due_ms: int | None) -> Customer:
    """Somebody who can be reached, with a cart left alone when it is to be due."""
    lines = [
        _line("profiles", "profile_updated", START_MS, {"email": "ann@example.org"}),
        _line("orders", "cart_updated", START_MS + 1, {"cart_id": "k", "value": 40}),
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as rules:
        rules.write(_RULES.replace("DELAY", "30m"))
        rules.flush()
        replay = Replay(load_rules(Path(rules.name)), lambda _: None)
    replay.run(read_arrivals(lines))
    (customer,) = replay.customers
    if due_ms is None:
        customer.instances.clear()
    else:
        (instance,) = customer.instances
        (step,) = instance.steps
        step.due_ms = step.fire_ms = customer.due_ms = due_ms
    return customer


def _line(topic: str, name: str, at_ms: int, data: dict[str, Any], who: str = "c") -> bytes:
    event = {
        "topic": topic,
        "event_id": f"{name}-{who}-{at_ms}",
        "type": name,
        "customer_id": who,
        "occurred_at": at_ms,
        "data": data,
    }
    return json.dumps(event).encode()


def _in_a_worker(folder: Path, live: int) -> dict[str, float]:
    """Due at once in a worker, while other customers view products."""
    rules = folder / "live.yaml"
    rules.write_text(_RULES.replace("DELAY", f"{_LIVE_DELAY_S}s"))
    with EmbeddedBroker() as broker:
        settings = load_settings({"TRIGGER_BOOTSTRAP_SERVERS": broker.bootstrap_servers})
        topics.create(settings)
        variables = {"TRIGGER_DATA_DIR": str(folder / "data"), "TRIGGER_RULES": str(rules)}
        with RunningWorker(settings, folder / "worker.log", variables) as running:
            running.wait_until_ready()
            return _burst(settings, running, live)


def _burst(settings: Settings, running: RunningWorker, live: int) -> dict[str, float]:
    at_ms = int(time.time() * 1000)
    publish(settings, _carts(live, at_ms))
    wait_for("carts", lambda: running.metric("trigger_events_total") >= 2 * live, 300)
    assert time.time() * 1000 < at_ms + _LIVE_DELAY_S * 1000, "too many for this machine"
    before = _lags(running)
    fired = [(time.monotonic(), running.metric("trigger_timers_fired_total"))]
    while fired[-1][1] < live:
        publish(settings, _views(int(_RATE * _LOOK_S)))
        time.sleep(_LOOK_S)
        fired.append((time.monotonic(), running.metric("trigger_timers_fired_total")))
        assert time.time() * 1000 < at_ms + 300_000, running.log
    began = [at for at, count in fired if not count][-1]
    seconds = fired[-1][0] - began
    return {
        "live": live,
        "live_fired_per_s": round(live / seconds),
        "event_lag_p99_s_at_most": _p99_s(before, _lags(running)),
    }


def _carts(count: int, at_ms: int) -> Iterator[bytes]:
    for number in range(count):
        who = f"c{number:06d}"
        yield _line("profiles", "profile_updated", at_ms - 1, {"email": "a@example.org"}, who)
        yield _line("orders", "cart_updated", at_ms, {"cart_id": "k", "value": 40}, who)


def _views(count: int) -> Iterator[bytes]:
    now_ms = int(time.time() * 1000)
    for number in range(count):
        yield _line("orders", "product_viewed", now_ms, {"sku": "s"}, f"v{number}")


def _lags(running: RunningWorker) -> dict[float, float]:
    """Events by upper bound of their lag, in seconds, cumulated."""
    counts: dict[float, float] = {}
    for line in running.get("/metrics")[1].splitlines():
        found = _BUCKET.match(line)
        if found:
            bound = float(found[1])
            counts[bound] = counts.get(bound, 0.0) + float(found[2])
    return counts


def _p99_s(before: dict[float, float], after: dict[float, float]) -> float:
    """The bound below which 99 of 100 events lie that came in between."""
    counts = {bound: count - before.get(bound, 0.0) for bound, count in sorted(after.items())}
    whole = counts[float("inf")]
    return next(bound for bound, count in counts.items() if count >= 0.99 * whole)


def _rss_mb() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20
