"""Misrouted records: those read on one partition whose key belongs to another.

They are forwarded as soon as they are read, before the turn of what was read earlier, so that their
customer's partition has them early. Their place in this partition's order stays: the position to
commit passes it only after they were forwarded.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from app.core.errors import EventError
from app.kafka.partitioning import partition_for
from app.kafka.types import InputRecord
from app.live.repartition.envelope import MisroutedRecord, customer_key, wrap

#: After so many records of a topic without a misrouted one, none is expected.
TRUSTED_RECORDS: Final = 10_000


class MisroutedRecords:
    """Finds misrouted records among what is read of a partition; ``pending`` is to be forwarded.

    Used by ``PartitionInput`` and the record handler, in the worker's main loop.
    """

    def __init__(self, topics: Iterable[str], partition: int, partitions: int) -> None:
        self._partition = partition
        self._partitions = partitions
        self._ahead: dict[str, deque[int]] = {topic: deque() for topic in topics}
        self._clean = dict.fromkeys(self._ahead, 0)
        self.pending: list[MisroutedRecord] = []

    def find(self, topic: str, records: Iterable[InputRecord]) -> None:
        """Look through records of a topic, in offset order, each once."""
        ours, partitions = self._partition, self._partitions
        clean = self._clean[topic]
        for record in records:
            key = record.key
            if key is not None and partition_for(key, partitions) == ours:
                clean += 1
            elif self._is_misrouted(topic, record):
                clean = 0
            else:
                clean += 1
        self._clean[topic] = clean

    def _is_misrouted(self, topic: str, record: InputRecord) -> bool:
        key = customer_key(topic, record)
        if key is None or partition_for(key, self._partitions) == self._partition:
            return False
        try:
            misrouted = wrap(topic, record, key)
        except EventError:
            return False
        self.pending.append(misrouted)
        self._ahead[topic].append(record.offset)
        return True

    def is_next(self, topic: str, offset: int) -> bool:
        """Whether the record whose turn has come is misrouted."""
        ahead = self._ahead[topic]
        return bool(ahead) and ahead[0] == offset

    def pass_by(self, topic: str) -> None:
        """The turn of the topic's next misrouted record is over."""
        self._ahead[topic].popleft()

    def take_pending(self) -> list[MisroutedRecord]:
        """What is to be forwarded with the commit unit that begins."""
        taken, self.pending = self.pending, []
        return taken

    def topics_in_doubt(self) -> list[str]:
        """The topics among whose unread records misrouted ones are to be expected."""
        return [topic for topic, count in self._clean.items() if count < TRUSTED_RECORDS]
