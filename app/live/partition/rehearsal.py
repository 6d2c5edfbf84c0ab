"""The end of a rehearsal: time stands still without records, so it is moved to the newest one."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from app.live.clock.machine_clock import MachineClock
from app.live.clock.partition_clock import RecordsClock
from app.live.partition.processor import PartitionProcessor

#: Blocks: the newest record timestamp on the input topics, epoch ms; None when not known.
ReadNewest = Callable[[], int | None]

#: How often the topics are asked while the input is quiet.
_ASK_S: Final = 2.0


class RehearsalEnd:
    """Moves the records' clocks on once all input has been at its end and quiet for ``max_idle``.

    How far is read from the topics, so that it is the same after a restart and whichever worker
    has the partition of the newest record. Used from the worker's main loop.
    """

    def __init__(
        self, read_newest: ReadNewest, machine_clock: MachineClock, max_idle_ms: int
    ) -> None:
        self._read_newest = read_newest
        self._now_ms = machine_clock.now_ms
        self._max_idle_s: Final = max_idle_ms / 1000
        self._task: asyncio.Task[None] | None = None
        self._asked_at = 0.0
        #: the newest record timestamp, and when it was that
        self._known: tuple[int, int] | None = None

    def look(self, processors: Sequence[PartitionProcessor]) -> None:
        """See whether the clocks may be moved. What came after the topics were asked counts as
        unread: it may have to be handled before the timers that the newest record makes due.
        """
        now = time.monotonic()
        if not processors or not all(
            each.is_idle() and each.busy_at <= now - self._max_idle_s for each in processors
        ):
            return
        if (self._task is None or self._task.done()) and now - self._asked_at >= _ASK_S:
            self._asked_at = now
            self._task = asyncio.get_running_loop().create_task(self._ask())
        if self._known is not None:
            newest_ms, as_of_ms = self._known
            for each in processors:
                if isinstance(each.clock, RecordsClock) and each.is_idle(as_of_ms):
                    each.clock.run_to(newest_ms)

    async def _ask(self) -> None:
        newest_ms = await asyncio.to_thread(self._read_newest)
        if newest_ms is not None:
            self._known = newest_ms, self._now_ms()
