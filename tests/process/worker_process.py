"""A worker as tests start it: ``python -m tests.process.worker_process``.

Beside TRIGGER_* it reads ``CRASH_AT`` (``after 3``: kill this process there, the first time an
effect comes to that point; ``after 3 skip 2``: the third time), ``PAUSE_AT`` (SIGSTOP there, once,
when the file ``PAUSE_WHEN`` exists; it goes on with SIGCONT), ``FAIL_ON`` (an event id: the engine
has a bug when it decides for it), ``FAIL_RULES`` (a template: rules fail when they decide by it),
``TOMBSTONE_MS`` (how long tombstones stay; then they are looked for all the time), ``UNIT_RECORDS``
(how many records a commit unit has at most), ``CLOCK_FILE`` (a file that says by how many ms the
wall clock is set, read whenever the clock is asked) and ``CLOCK_HOLD_S`` (how long a step has to
stand until it is believed).

Points are around every numbered effect, around ``recovery`` (a batch of the changelog applied),
``revoked`` and ``assigned`` (partitions).
"""

import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.core.context import Emit
from app.core.decisions import Decision
from app.core.engine import Customers, Engine
from app.core.errors import ConfigError
from app.core.rules.model import Rules
from app.live.clock import machine_clock
from app.live.partition.assigned import AssignedPartitions, OpenStore
from app.live.partition.context import MakeEngine, Pace
from app.live.worker import run_worker
from app.logs import configure_logging
from app.settings.load import load_settings
from tables.store import CustomersStore

EXIT_REFUSED = 2


def crash_hook(crash_at: str) -> Callable[[str], None]:
    """Kills this process at the point named."""
    point, _, skip = crash_at.partition(" skip ")
    left = int(skip or 0)

    def hook(at: str) -> None:
        nonlocal left
        if at == point:
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    return hook


def pause_hook(point: str, when: Path) -> Callable[[str], None]:
    """Stops this process at the point named, the first time once the file exists."""
    is_over = False

    def hook(at: str) -> None:
        nonlocal is_over
        if at == point and not is_over and when.exists():
            is_over = True
            # to this thread: another one might take it, while this one goes on for a moment
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    return hook


def hook_from(environ: Mapping[str, str]) -> Callable[[str], None] | None:
    """What the variables ask for; None when they ask for nothing."""
    if "CRASH_AT" in environ:
        return crash_hook(environ["CRASH_AT"])
    if "PAUSE_AT" in environ:
        return pause_hook(environ["PAUSE_AT"], Path(environ["PAUSE_WHEN"]))
    return None


def tell_of_more(hook: Callable[[str], None]) -> None:
    """Call the hook around recovery and rebalances too."""
    revoke, assign = AssignedPartitions.partitions_revoked, AssignedPartitions.assign
    apply = CustomersStore.apply_changelog_batch

    def applied(self: CustomersStore, *args: Any, **kwargs: Any) -> None:
        hook("before recovery")
        apply(self, *args, **kwargs)
        hook("after recovery")

    async def revoked(self: AssignedPartitions, partitions: set[int]) -> None:
        if partitions:
            hook("before revoked")
        await revoke(self, partitions)
        if partitions:
            hook("after revoked")

    def assigned(
        self: AssignedPartitions, partitions: Iterable[int], open_store: OpenStore
    ) -> None:
        hook("before assigned")
        assign(self, partitions, open_store)
        hook("after assigned")

    CustomersStore.apply_changelog_batch = applied  # type: ignore[method-assign]
    AssignedPartitions.partitions_revoked = revoked  # type: ignore[method-assign]
    AssignedPartitions.assign = assigned  # type: ignore[method-assign]


def failing_engine(fails: Callable[[Decision], bool]) -> MakeEngine:
    """Engines that have a bug with some decisions."""

    def make(rules: Rules, customers: Customers, emit: Emit, *more: Any, **others: Any) -> Engine:
        def emit_or_fail(decision: Decision) -> None:
            if fails(decision):
                raise ZeroDivisionError(f"a bug with {decision}")
            emit(decision)

        return Engine(rules, customers, emit_or_fail, *more, **others)

    return make


def wanted_engine(environ: Mapping[str, str]) -> MakeEngine | None:
    """What the variables ask for; None when they ask for nothing."""
    if "FAIL_ON" in environ:
        event_id = environ["FAIL_ON"]
        return failing_engine(lambda made: made.cause.event_id == event_id)
    if "FAIL_RULES" in environ:
        template = environ["FAIL_RULES"]
        return failing_engine(lambda made: made.template == template)
    return None


def wanted_pace(environ: Mapping[str, str]) -> Pace:
    """What the variables ask for, else that of every worker."""
    pace = Pace()
    if "TOMBSTONE_MS" in environ:
        pace = replace(pace, tombstone_ms=int(environ["TOMBSTONE_MS"]), sweep_s=0.1)
    if "UNIT_RECORDS" in environ:
        pace = replace(pace, unit_records=int(environ["UNIT_RECORDS"]))
    return pace


def steer_clock(by: Path) -> None:
    """The wall clock of this process, for itself and the libraries, is off by what the file says.

    The monotonic clock is not, as when a machine's clock is set.
    """
    true_ns = time.time_ns

    def steered_ns() -> int:
        return true_ns() + int(by.read_text() or 0) * 1_000_000

    time.time_ns = steered_ns
    time.time = lambda: steered_ns() / 1e9


def main() -> int:
    faulthandler.enable()  # SIGABRT: says where each thread is
    settings = load_settings(os.environ)
    configure_logging(settings)
    if "CLOCK_FILE" in os.environ:
        steer_clock(Path(os.environ["CLOCK_FILE"]))
        machine_clock.HOLD_S = float(os.environ.get("CLOCK_HOLD_S", machine_clock.HOLD_S))  # type: ignore[misc]
    hook = hook_from(os.environ)
    if hook is not None:
        tell_of_more(hook)
    try:
        return run_worker(
            settings,
            hook=hook,
            make_engine=wanted_engine(os.environ),
            pace=wanted_pace(os.environ),
        )
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return EXIT_REFUSED


if __name__ == "__main__":
    sys.exit(main())
