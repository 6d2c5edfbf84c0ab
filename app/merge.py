"""The records of one partition number, from all input topics, in the order of their timestamps."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from aiokafka.structs import ConsumerRecord

Monotonic = Callable[[], float]
IsReadUp = Callable[[str], bool]

_FAR: Final = 1 << 62


class _Queue:
    """What is buffered of one topic. Records keep their order in it, whatever their timestamps."""

    __slots__ = ("chunks", "head", "next_offset", "size")

    def __init__(self) -> None:
        #: (when it came, records); ``head`` is the place in the first chunk
        self.chunks: deque[tuple[float, Sequence[ConsumerRecord]]] = deque()
        self.head = 0
        self.size = 0
        #: of the first record not yet added
        self.next_offset = -1


class MergeBuffer:
    """Buffers records per topic and hands them out merged.

    A record is handed out when every other topic has one waiting that is not older, or is known
    to have none: a topic read up to its end has none (``waits_for_ended`` says otherwise: the
    publisher may still be writing what belongs before). One that is neither is waited for, until
    the record has been here for ``max_idle_s``.
    """

    def __init__(
        self,
        topics: Iterable[str],
        is_read_up: IsReadUp,
        max_idle_s: float,
        *,
        waits_for_ended: bool = False,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._queues = {topic: _Queue() for topic in topics}
        self._is_read_up = is_read_up
        self._max_idle_s = max_idle_s
        self._waits_for_ended = waits_for_ended
        self._monotonic = monotonic
        #: when a record that was held back may go
        self._held_until: float | None = None

    def __len__(self) -> int:
        return sum(queue.size for queue in self._queues.values())

    def add(self, topic: str, records: Sequence[ConsumerRecord]) -> int:
        """Buffer records of a topic, in offset order; returns how many were had before."""
        queue = self._queues[topic]
        had = 0
        while had < len(records) and records[had].offset < queue.next_offset:
            had += 1
        if had:
            records = records[had:]
        if records:
            queue.chunks.append((self._monotonic(), records))
            queue.size += len(records)
            queue.next_offset = records[-1].offset + 1
        return had

    def take(self, limit: int) -> Iterator[tuple[str, ConsumerRecord]]:
        """Up to ``limit`` records that may be handed out now, each removed as it is yielded."""
        queues, left = self._queues, limit
        self._held_until = None
        while left > 0:
            best, best_ms, next_ms, has_gap = "", _FAR, _FAR, False
            for topic, queue in queues.items():
                if queue.size:
                    head_ms = queue.chunks[0][1][queue.head].timestamp
                    if head_ms < best_ms:
                        best, best_ms, next_ms = topic, head_ms, best_ms
                    elif head_ms < next_ms:
                        next_ms = head_ms
                elif self._waits_for_ended or not self._is_read_up(topic):
                    has_gap = True
            if not best:
                return
            queue = queues[best]
            arrived, records = queue.chunks[0]
            if has_gap and self._monotonic() < arrived + self._max_idle_s:
                self._held_until = arrived + self._max_idle_s
                return
            # A run: this topic's records up to the next topic's first. Equal timestamps go in the
            # order of the topics given.
            at, end = queue.head, min(len(records), queue.head + left)
            is_first = True
            while at < end:
                record = records[at]
                if not is_first and record.timestamp >= next_ms:
                    break
                is_first = False
                at += 1
                queue.head = at
                queue.size -= 1
                left -= 1
                yield best, record
            if queue.head >= len(records):
                queue.chunks.popleft()
                queue.head = 0

    def wait_s(self) -> float | None:
        """How long until a record that is held back now may go; None when none is held back."""
        if self._held_until is None:
            return None
        return max(0.0, self._held_until - self._monotonic())
