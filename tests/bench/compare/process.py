"""A host as a process on a core of its own, and what it uses."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import msgspec
import psutil

from tests.bench.hosts.job import Job

_ROOT: Final = Path(__file__).parents[3]
_STOP_S: Final = 10.0
_LOG_BYTES: Final = 2000


class HostProcess:
    """Runs inside ``with``, on ``cores`` only (all its threads and children), then is stopped."""

    def __init__(self, module: str, job: Job, log: Path, cores: Sequence[int]) -> None:
        self._log = log
        pinned = ",".join(map(str, cores))
        with log.open("wb") as out:
            self._process = psutil.Popen(
                [
                    *(sys.executable, "-m", "tests.bench.compare.pinned", pinned),
                    *(module, msgspec.json.encode(job).decode()),
                ],
                cwd=_ROOT,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        children = self._children()
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_S)
        except psutil.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()

    def cores(self) -> list[int]:
        """On which it may run now, all its threads included."""
        return sorted(
            {core for thread in self._process.threads() for core in os.sched_getaffinity(thread.id)}
        )

    @property
    def is_running(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process.poll() is None

    @property
    def log(self) -> str:
        """The last it wrote."""
        return self._log.read_bytes()[-_LOG_BYTES:].decode(errors="replace")

    def cpu_s(self) -> float:
        """User and system seconds so far, those of its children too."""
        times = self._process.cpu_times()
        total: float = times.user + times.system + times.children_user + times.children_system
        for child in self._children():
            with suppress(psutil.NoSuchProcess):
                total += child.cpu_times().user + child.cpu_times().system
        return total

    def peak_rss_mb(self) -> float:
        """The most memory it has had so far; its children have had theirs at other times."""
        total = 0
        for process in (self._process, *self._children()):
            with suppress(OSError):
                status = Path(f"/proc/{process.pid}/status").read_text()
                total += int(status.partition("VmHWM:")[2].split()[0])
        return total / 1024

    def _children(self) -> list[psutil.Process]:
        try:
            return self._process.children(recursive=True)
        except psutil.NoSuchProcess:
            return []


def busy_s(cores: Sequence[int]) -> float:
    """Seconds so far in which these cores did anything, whoever for."""
    each = psutil.cpu_times(percpu=True)
    fields = ("user", "nice", "system", "irq", "softirq", "steal")
    return float(sum(getattr(each[core], field) for core in cores for field in fields))


def apart() -> tuple[list[int], list[int]]:
    """(the worker's core, the others for broker and publisher); all the same where there is one."""
    mine = sorted(os.sched_getaffinity(0))
    return mine[-1:], mine[:-1] or mine
