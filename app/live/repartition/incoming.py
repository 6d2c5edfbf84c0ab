"""One lane's records that other partitions sent on to it, read from the repartition topic.

For the timestamp merge they are as many queues as there are places they come from, each in its own
order; so they are not handled in the order of the topic's offsets, and the position to commit is
that of the first one not handled.
"""

from collections import deque
from collections.abc import Mapping, Sequence

from aiokafka.structs import ConsumerRecord

from app.core.errors import EventError
from app.live.input.timestamp_merge import TimestampMerge
from app.live.repartition.envelope import unwrap

_Place = tuple[str, int, int]


class RepartitionInput:
    """Puts them into the lane's merge buffer and keeps account of them.

    ``settled`` are those that need no turn: foreign records (with an error) and repeats. A record
    is sent on again when the worker that did it died before it could commit.
    """

    def __init__(self, logical: Mapping[str, str], buffer: TimestampMerge) -> None:
        self._logical = logical
        self._buffer = buffer
        self._next_offset = -1
        #: offsets not handled, in order, and those handled after one that is not
        self._open: deque[int] = deque()
        self._closed: set[int] = set()
        self._offsets: dict[_Place, int] = {}
        #: the last offset seen of each place that records come from
        self._seen: dict[tuple[str, int], int] = {}
        self.settled: list[tuple[ConsumerRecord, EventError | None]] = []

    def add(self, records: Sequence[ConsumerRecord]) -> int:
        """Take records of the topic, in offset order; returns how many were had before."""
        had = 0
        queues: dict[tuple[str, int], list[ConsumerRecord]] = {}
        for record in records:
            if record.offset < self._next_offset:
                had += 1
                continue
            self._next_offset = record.offset + 1
            self._open.append(record.offset)
            try:
                original = unwrap(record)
                source = self._source(original), original.partition
            except EventError as exc:
                self.settled.append((record, exc))
                continue
            if original.offset <= self._seen.get(source, -1):
                self.settled.append((record, None))
                continue
            self._seen[source] = original.offset
            self._offsets[original.topic, original.partition, original.offset] = record.offset
            queues.setdefault(source, []).append(original)
        for (topic, partition), queue in queues.items():
            self._buffer.add(topic, queue, partition)
        return had

    def _source(self, original: ConsumerRecord) -> str:
        topic = self._logical.get(original.topic)
        if topic is None:
            raise EventError(
                "not_rerouted",
                "expected a record of an input topic, got one of a topic that is not read: the"
                " topics were given other names while records of the old ones were under way",
            )
        return topic

    def handled(self, record: ConsumerRecord) -> int:
        """A record that the buffer handed out is handled; the position that may be committed."""
        return self._close(self._offsets.pop((record.topic, record.partition, record.offset)))

    def take_settled(self) -> tuple[list[tuple[ConsumerRecord, EventError | None]], int]:
        """What needs no turn, and the position that may be committed once it is dealt with."""
        taken, self.settled = self.settled, []
        position = -1
        for record, _ in taken:
            position = self._close(record.offset)
        return taken, position

    def _close(self, offset: int) -> int:
        self._closed.add(offset)
        while self._open and self._open[0] in self._closed:
            self._closed.discard(self._open.popleft())
        return self._open[0] if self._open else self._next_offset
