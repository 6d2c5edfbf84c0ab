"""The Faust agents: one per topic that is read, and the punctuator. They only hand over.

A record batch that was handed over is not yet handled: its offsets are committed when its partition
processor has made it durable (app/live/commit/committer.py), whatever the agent's stream
acknowledges.
"""

from typing import Any, Protocol

#: Ends the worker when an agent raises, where Faust's default would restart the agent.
SUPERVISOR = "mode.CrashingSupervisor"


class Batches(Protocol):
    """Takes what the agents read."""

    def take(self, tp: Any, records: Any) -> None:
        """Take over one record batch of a (topic, partition)."""

    def pass_timers(self) -> None:
        """Let every partition look at its timers."""
