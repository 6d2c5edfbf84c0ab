"""A worker whose time is told apart by layers: ``python -m tests.bench.profiled_worker``.

Functions at the borders of layers are wrapped; a layer's time is what passes in it and not in
another one that it calls. Beside TRIGGER_* it reads ``PROFILE``, a file: at each SIGUSR1 the sums
so far are written there as JSON, in microseconds of CPU.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from time import thread_time_ns
from typing import Any, Final

from app.core.engine import Engine
from app.formats import encode
from app.live.commit import at_least_once, exactly_once
from app.live.commit.deliveries import PendingDeliveries
from app.live.commit.transactions import TransactionCoordinator
from app.live.input.timestamp_merge import TimestampMerge
from app.live.partition import processor, record_handler
from app.live.partition.assigned import AssignedPartitions
from app.live.repartition.outgoing import MisroutedRecords
from tables.customers import PartitionCustomers
from tables.partition import PartitionStore
from tests.process import worker_process

#: layer -> (owner, name) of its functions; all run in the main thread.
_BORDERS: Final[dict[str, list[tuple[Any, str]]]] = {
    "buffer": [(AssignedPartitions, "take"), (TimestampMerge, "add"), (MisroutedRecords, "find")],
    "decode": [(record_handler, "decode_record")],
    "load": [(PartitionCustomers, "get")],
    "decide": [(Engine, "handle"), (Engine, "fire_due"), (Engine, "run_to")],
    "encode": [
        (PartitionCustomers, "changes"),
        (encode, "written"),
        (encode, "written_outcome"),
    ],
    "produce": [(PendingDeliveries, "send"), (TransactionCoordinator, "_begin")],
    "store": [(PartitionStore, "write"), (PartitionCustomers, "reset")],
    "lane": [
        (processor.PartitionProcessor, "_handle_records"),
        (processor.PartitionProcessor, "_fire_timers"),
    ],
    "commit": [
        (at_least_once.AtLeastOncePartition, "_fill_outboxes"),
        (exactly_once.ExactlyOncePartition, "_put_outputs"),
    ],
}
#: names of native threads by what they are there for
_NATIVE: Final = {"rdk:": "librdkafka", "rocksdb:": "rocksdb"}

_spent_ns: Final = dict.fromkeys(_BORDERS, 0)
_calls: Final = dict.fromkeys(_BORDERS, 0)
#: of the layers entered and not left, innermost last: what their inner layers took
_inner_ns: Final = [0]


def _wrap(layer: str, call: Callable[..., Any]) -> Callable[..., Any]:
    spent, calls, inner = _spent_ns, _calls, _inner_ns

    def timed(*args: Any, **kwargs: Any) -> Any:
        inner.append(0)
        began = thread_time_ns()
        try:
            return call(*args, **kwargs)
        finally:
            took = thread_time_ns() - began
            spent[layer] += took - inner.pop()
            calls[layer] += 1
            inner[-1] += took

    return timed


def _probe_ns() -> tuple[float, float]:
    """What one border adds to its own layer, and to the one around it."""
    wrapped, rounds = _wrap("decode", lambda: None), 20_000
    before = _spent_ns["decode"]
    began = thread_time_ns()
    for _ in range(rounds):
        wrapped()
    took = thread_time_ns() - began
    own = _spent_ns["decode"] - before
    _spent_ns["decode"], _calls["decode"], _inner_ns[-1] = before, _calls["decode"] - rounds, 0
    return own / rounds, (took - own) / rounds


def _threads_us() -> dict[str, float]:
    """CPU of every thread: Python's main one, its others, and native ones by their makers."""
    ticks = os.sysconf("SC_CLK_TCK")
    sums: dict[str, float] = {"main": 0.0, "fetch": 0.0, **dict.fromkeys(_NATIVE.values(), 0.0)}
    for folder in Path("/proc/self/task").iterdir():
        name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
        fields = rest.split()
        kind = "main" if folder.name == str(os.getpid()) else "fetch"
        for start, native in _NATIVE.items():
            if name.startswith(start):
                kind = native
        sums[kind] += (int(fields[11]) + int(fields[12])) * 1e6 / ticks
    return sums


def _report(path: Path, own_ns: float, outer_ns: float) -> None:
    layers = {layer: (spent - _calls[layer] * own_ns) / 1000 for layer, spent in _spent_ns.items()}
    overhead = sum(_calls.values()) * (own_ns + outer_ns) / 1000
    sums = {"layers": layers, "threads": _threads_us(), "overhead": overhead}
    whole = path.with_suffix(".new")
    whole.write_text(json.dumps(sums))
    whole.rename(path)


def main() -> int:
    """Run the worker of the tests."""
    own_ns, outer_ns = _probe_ns()
    for layer, borders in _BORDERS.items():
        for owner, name in borders:
            setattr(owner, name, _wrap(layer, getattr(owner, name)))
    path = Path(os.environ["PROFILE"])
    signal.signal(signal.SIGUSR1, lambda *_: _report(path, own_ns, outer_ns))
    return worker_process.main()


if __name__ == "__main__":
    sys.exit(main())
