"""Read progress, buffered records and commit positions of the assigned input partitions."""

from collections.abc import Iterable, Mapping
from typing import Final

from app.kafka.types import TopicPartition
from app.live.input.buffered_records import BufferedRecords
from app.live.input.commit_positions import CommitPositions
from app.live.input.consumer_group import NO_MEMBER, GroupMembership
from app.live.input.read_progress import ReadProgress, ReadState


class InputProgress:
    """Keeps buffered records, read progress and commit positions in step.

    Translates logical topic names into those on the broker. The transport reports what it fetched,
    committers what was made durable. Used from the worker's main loop only.
    """

    def __init__(
        self, topics: Mapping[str, str], capacity: int, *, is_consumer_committing: bool = True
    ) -> None:
        """``topics``: logical name to name on the broker, of all topics that are read."""
        #: name on the broker -> logical name
        self.logical: Final = {actual: logical for logical, actual in topics.items()}
        self._actual: Final = dict(topics)
        self.buffered: Final = BufferedRecords(capacity)
        self.reading: Final = ReadProgress(self.buffered)
        self.positions: Final = CommitPositions(is_consumer_committing=is_consumer_committing)

    @property
    def membership(self) -> GroupMembership:
        """This worker in its consumer group, as of the last assignment."""
        return self.positions.membership

    def tp(self, logical: str, partition: int) -> TopicPartition:
        """The topic partition on the broker."""
        return TopicPartition(self._actual[logical], partition)

    def is_input(self, tp: TopicPartition) -> bool:
        """Whether this is a partition of an input topic."""
        return tp.topic in self.logical

    def fetched(
        self,
        counts: Mapping[TopicPartition, int],
        states: Mapping[TopicPartition, ReadState],
        sizes: Mapping[TopicPartition, int] | None = None,
    ) -> None:
        """These many records, of so many bytes, are on their way, and this is how far each
        partition was read.
        """
        self.buffered.fetched(counts, sizes)
        self.reading.fetched(states)

    def revoking(self) -> None:
        """A rebalance begins: nothing more is committed under the membership so far."""
        self.positions.membership = NO_MEMBER

    def revoked(self, tps: Iterable[TopicPartition]) -> None:
        """The units in progress on these partitions have ended."""
        inputs = [tp for tp in tps if self.is_input(tp)]
        self.buffered.forget(inputs)
        self.reading.forget(inputs)

    def fence(self, partition: int) -> dict[TopicPartition, int]:
        """An offset to commit where nothing was read, so that the broker checks the membership.

        It is what the group has already; 0 when it has none, and then reading begins at the start.
        """
        tp = min(TopicPartition(actual, partition) for actual in self.logical)
        return {tp: self.positions.of(tp) or 0}

    def unit_done(
        self, partition: int, taken: Mapping[str, int], positions: Mapping[str, int]
    ) -> None:
        """A commit unit of a partition is durable: how many records of each logical topic it took,
        and the positions that may be committed.
        """
        for logical, position in positions.items():
            tp = self.tp(logical, partition)
            self.buffered.dropped(tp, taken.get(logical, 0))
            self.positions.handled(tp, position)
            self.reading.handled(tp, position)
