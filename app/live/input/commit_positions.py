"""Which offsets may be committed, and as which member of the consumer group."""

from collections.abc import Iterable, Mapping
from typing import Final

from app.kafka.types import TopicPartition
from app.live.input.consumer_group import NO_MEMBER, GroupMembership


class CommitPositions:
    """The next offset to read of each partition where anything was handled durably.

    They are handed to the consumer for commit with ``is_consumer_committing`` only; otherwise
    transactions commit them. Used from the worker's main loop only.
    """

    def __init__(self, *, is_consumer_committing: bool) -> None:
        self._is_consumer_committing: Final = is_consumer_committing
        self._positions: dict[TopicPartition, int] = {}
        #: this worker in its consumer group, as of the last assignment
        self.membership = NO_MEMBER
        #: the group has assigned partitions to this worker at least once, possibly none
        self.has_joined = False

    def joined(self, membership: GroupMembership) -> None:
        """The group has assigned this worker its partitions under this membership."""
        self.has_joined = True
        self.membership = membership

    def resumed(self, committed: Mapping[TopicPartition, int]) -> None:
        """Work on partitions begins where the group's offsets are."""
        self._positions.update(committed)

    def handled(self, tp: TopicPartition, position: int) -> None:
        """Everything before the offset ``position`` was handled durably."""
        self._positions[tp] = position

    def of(self, tp: TopicPartition) -> int | None:
        """The position of a partition; None when nothing of it was handled."""
        return self._positions.get(tp)

    def for_consumer(self) -> Mapping[TopicPartition, int]:
        """What the consumer is to commit."""
        return self._positions if self._is_consumer_committing else {}

    def forget(self, tps: Iterable[TopicPartition]) -> None:
        """They belong to another worker now."""
        for tp in tps:
            self._positions.pop(tp, None)
