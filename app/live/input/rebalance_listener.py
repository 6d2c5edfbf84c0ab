"""What the transport reports to the rest of the worker."""

from typing import Protocol

from app.core.errors import InfrastructureError
from app.kafka.types import TopicPartition


class RebalanceListener(Protocol):
    """Given to the Faust app; called in the worker's main loop unless a method says otherwise."""

    async def partitions_revoked(self, partitions: set[int]) -> None:
        """These partitions are about to go: return once their commit units have ended."""

    def ends_known(self) -> None:
        """The broker answered how far partitions are read."""

    async def position_lost(self, tp: TopicPartition, offset: int) -> None:
        """The broker no longer has what was to be read next of an input partition: return once it
        is known what was lost, if reading may go on.
        """

    def commit_failed(self) -> None:
        """The consumer could not commit offsets; it tries again with the next ones."""

    def group_lost(self, error: InfrastructureError) -> None:
        """This worker is no member of its group any more. Called in the consumer's thread."""
