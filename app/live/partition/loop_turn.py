"""How long commit units may keep a worker's event loop from everything else."""

import asyncio


class LoopTurn:
    """The turn of the event loop in progress, shared by the processors of a worker.

    In one turn the loop runs all who are ready, and looks for input and output only between turns:
    with many partitions that catch up, probes and metrics would wait for a unit of each.
    """

    def __init__(self) -> None:
        self._taken_s = 0.0
        #: those who wait, in the order in which they came
        self._next = asyncio.Lock()

    async def has_time(self, most_s: float) -> None:
        """Wait for a turn of which units have not taken more than that: another one may begin."""
        async with self._next:
            while self._taken_s > most_s:
                await asyncio.sleep(0)

    def took(self, seconds: float) -> None:
        """A unit has taken so much of this turn."""
        if not self._taken_s:
            asyncio.get_running_loop().call_soon(self._begin)
        self._taken_s += seconds

    def _begin(self) -> None:
        self._taken_s = 0.0
