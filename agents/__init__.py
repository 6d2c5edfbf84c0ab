"""The Faust agents: one per topic that is read, and the punctuator. They only hand over.

A batch that was handed over is not yet handled: its offsets are committed when its lane has made
it durable (app/live/commit/committer.py), whatever the agent's stream acknowledges.
"""

from collections.abc import AsyncIterable
from typing import Any, Protocol

from faust.types import TP

#: Ends the worker when an agent raises, where Faust's default would restart the agent.
SUPERVISOR = "mode.CrashingSupervisor"


class Batches(Protocol):
    """Takes what the agents read."""

    def take(self, tp: TP, records: Any) -> None:
        """Take over one batch of a partition."""

    def pass_timers(self) -> None:
        """Let every partition look at its timers."""


async def hand_over(stream: Any, batches: Batches) -> None:
    """Give every batch of the stream to ``batches``, until the stream ends."""
    events: AsyncIterable[Any] = stream.events()
    async for event in events:
        batches.take(event.message.tp, event.value)
