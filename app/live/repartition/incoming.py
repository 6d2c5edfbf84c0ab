"""Repartitioned records of one partition: what other partitions forwarded to it.

In the timestamp merge misrouted records are one queue for each partition that they come from, each
in its own order; so they are not handled in the order of the repartition topic's offsets, and the
position to commit is that of the first one not handled. What merged customers sent on is one queue,
in the order of the offsets: so a record is taken before what was sent on after it.
"""

from collections import deque
from collections.abc import Mapping, Sequence

from app.core.errors import EventError
from app.kafka.types import InputRecord
from app.live.input.timestamp_merge import TimestampMerge
from app.live.repartition.envelope import unwrap
from app.live.repartition.merged import ForwardedRecord, is_forwarded, unwrap_forwarded
from app.settings.topics import REPARTITION

_Source = tuple[str, int, int]


class RepartitionInput:
    """Puts forwarded records into the partition's merge and tracks which are handled.

    Used by ``PartitionInput``. ``rejected`` are records that get no turn: foreign ones, with an
    error, and repeats, without one. A record is forwarded again when the worker that did it died
    before it could commit.
    """

    def __init__(self, logical: Mapping[str, str], merge: TimestampMerge) -> None:
        self._logical = logical
        self._merge = merge
        self._next_offset = -1
        #: offsets not handled, in order, and those handled after one that is not
        self._open: deque[int] = deque()
        self._closed: set[int] = set()
        self._offsets: dict[_Source, int] = {}
        #: the last offset seen of each topic and partition that records come from
        self._seen: dict[tuple[str, int], int] = {}
        self.rejected: list[tuple[InputRecord, EventError | None]] = []

    def add(self, records: Sequence[InputRecord], as_of_ms: int) -> int:
        """Buffer records of the topic, in offset order; returns how many were had before.

        ``as_of_ms`` is when the broker had last answered for the partition.
        """
        had = 0
        queues: dict[tuple[str, int], list[InputRecord]] = {}
        forwarded: list[InputRecord] = []
        for record in records:
            if record.offset < self._next_offset:
                had += 1
                continue
            self._next_offset = record.offset + 1
            self._open.append(record.offset)
            try:
                if is_forwarded(record):
                    sent_on = unwrap_forwarded(record)
                    self._source(sent_on.original)
                    forwarded.append(sent_on)
                    continue
                original = unwrap(record)
                source = self._source(original), original.partition
            except EventError as exc:
                self.rejected.append((record, exc.detached()))
                continue
            if original.offset <= self._seen.get(source, -1):
                self.rejected.append((record, None))
                continue
            self._seen[source] = original.offset
            self._offsets[original.topic, original.partition, original.offset] = record.offset
            queues.setdefault(source, []).append(original)
        for (topic, partition), queue in queues.items():
            self._merge.add(topic, queue, as_of_ms, partition)
        if forwarded:
            self._merge.add(REPARTITION, forwarded, as_of_ms)
        return had

    def _source(self, original: InputRecord) -> str:
        topic = self._logical.get(original.topic)
        if topic is None:
            raise EventError(
                "not_rerouted",
                "expected a record of an input topic, got one of a topic that is not read: the"
                " topics were given other names while records of the old ones were under way",
            )
        return topic

    def handled(self, record: InputRecord) -> int:
        """A record that the merge handed out was handled; returns the position to commit."""
        if isinstance(record, ForwardedRecord):
            return self._close(record.offset)
        return self._close(self._offsets.pop((record.topic, record.partition, record.offset)))

    def take_rejected(self) -> tuple[list[tuple[InputRecord, EventError | None]], int]:
        """What gets no turn, and the position to commit once it was dealt with."""
        taken, self.rejected = self.rejected, []
        position = -1
        for record, _ in taken:
            position = self._close(record.offset)
        return taken, position

    def _close(self, offset: int) -> int:
        self._closed.add(offset)
        while self._open and self._open[0] in self._closed:
            self._closed.discard(self._open.popleft())
        return self._open[0] if self._open else self._next_offset
