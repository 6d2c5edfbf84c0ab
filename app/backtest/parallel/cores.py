"""How many processes may really run at once here."""

import multiprocessing
import os
from math import ceil
from pathlib import Path
from typing import Final

_CGROUPS: Final = Path("/sys/fs/cgroup")


def usable_cores(cgroups: Path = _CGROUPS) -> int:
    """The cores that this process may use, a container's limit of CPU time rounded up; 1 at least.

    The limit is looked for where a container sees its own (cgroup v2, then v1).
    """
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quota = _quota_cores(cgroups)
    return max(1, cores if quota is None else min(cores, ceil(quota)))


def _quota_cores(cgroups: Path) -> float | None:
    try:
        quota, period = (cgroups / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        pass
    try:
        quota_us = int((cgroups / "cpu" / "cpu.cfs_quota_us").read_text())
        period_us = int((cgroups / "cpu" / "cpu.cfs_period_us").read_text())
        return None if quota_us <= 0 else quota_us / period_us
    except (OSError, ValueError, ZeroDivisionError):
        return None


def can_fork() -> bool:
    """Whether a process can be started as a copy of this one."""
    return "fork" in multiprocessing.get_all_start_methods()
