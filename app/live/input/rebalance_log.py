"""Says of each rebalance how long the worker's partitions stood still, and for what."""

import logging
import time
from collections.abc import Callable
from typing import Final

_log: Final = logging.getLogger(__name__)

#: In this order: units in progress end and are committed; the group agrees on an assignment;
#: databases are closed and changelogs read; streams are resumed.
_PHASES: Final = ("release_s", "join_s", "recover_s")


class RebalanceLog:
    """Logs how long the phases of a rebalance took.

    Used by ``BatchConsumer``, in the worker's main loop. A rebalance that begins again before it is
    over counts from its first beginning.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._began: float | None = None
        self._ends: list[float] = []

    def begins(self) -> None:
        """Partitions are revoked: nothing is read or decided from now on."""
        if self._began is None:
            self._began = self._monotonic()
        self._ends = []

    def phase_ends(self) -> None:
        """Units are committed, or the assignment is known."""
        self._ends.append(self._monotonic())

    def ends(self) -> None:
        """Everything goes on."""
        if self._began is None:
            return
        self.phase_ends()
        starts = [self._began, *self._ends]
        phases = {
            name: round(end - start, 2)
            for name, start, end in zip(_PHASES, starts, self._ends, strict=False)
        }
        total_s = round(self._ends[-1] - self._began, 2)
        _log.info("rebalance is over", extra={"action": "rebalanced", "total_s": total_s, **phases})
        self._began = None
