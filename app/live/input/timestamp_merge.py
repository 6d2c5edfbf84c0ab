"""The records of one partition number, from all topics, in the order of their timestamps."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from aiokafka.structs import ConsumerRecord

Monotonic = Callable[[], float]
IsReadUp = Callable[[str], bool]

#: Later than any timestamp that a record can have.
_FAR: Final = 1 << 64
#: The origin of records that are where they belong.
_OWN: Final = -1
#: How long a rehearsal waits for records that are known to be there.
_REHEARSAL_S: Final = 60.0


class _Queue:
    """What is buffered of one topic. Records keep their order in it, whatever their timestamps."""

    __slots__ = ("chunks", "empty_since", "head", "next_offset", "size", "topic")

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.empty_since = 0.0
        #: (when it came, records); ``head`` is the place in the first chunk
        self.chunks: deque[tuple[float, Sequence[ConsumerRecord]]] = deque()
        self.head = 0
        self.size = 0
        #: of the first record not yet added
        self.next_offset = -1


class TimestampMerge:
    """Buffers records per topic and hands them out merged.

    A record is handed out when every other topic has one waiting that is not older, or is known
    to have none: a topic read up to its end has none. One that is neither is waited for, until it
    has had nothing for ``max_idle_s`` while the record was here.

    With ``is_rehearsal`` order matters more than time: a topic read up to its end is waited for
    likewise, because the publisher may still be writing what belongs before; and one that is not,
    which a busy machine may take long to read, for a minute.

    Records that came by way of another partition wait in a queue for each topic and partition that
    they come from, which is there while it holds any; nothing is waited for in its stead.
    """

    def __init__(
        self,
        topics: Iterable[str],
        is_read_up: IsReadUp,
        max_idle_s: float,
        *,
        is_rehearsal: bool = False,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._ranks = {topic: rank for rank, topic in enumerate(topics)}
        #: by topic, and by topic and partition of origin; in the order of equal timestamps
        self._queues: dict[tuple[str, int], _Queue] = {
            (topic, _OWN): _Queue(topic) for topic in self._ranks
        }
        self._is_read_up = is_read_up
        self._max_idle_s = max_idle_s
        self._slow_s = max(max_idle_s, _REHEARSAL_S) if is_rehearsal else max_idle_s
        self._is_rehearsal = is_rehearsal
        self._monotonic = monotonic
        #: when a record that was held back may go
        self._held_until: float | None = None

    def __len__(self) -> int:
        return sum(queue.size for queue in self._queues.values())

    def add(self, topic: str, records: Sequence[ConsumerRecord], origin: int = _OWN) -> int:
        """Buffer records of a topic, in offset order; returns how many were had before.

        ``origin`` is the partition that they come from when it is another one.
        """
        queue = self._queues.get((topic, origin)) or self._add_queue(topic, origin)
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

    def _add_queue(self, topic: str, origin: int) -> _Queue:
        queue = self._queues[topic, origin] = _Queue(topic)
        self._queues = dict(
            sorted(self._queues.items(), key=lambda item: (self._ranks[item[0][0]], item[0][1]))
        )
        return queue

    def take(self, limit: int) -> Iterator[tuple[str, ConsumerRecord]]:
        """Up to ``limit`` records that may be handed out now, each removed as it is yielded."""
        queues, left = self._queues, limit
        self._held_until = None
        while left > 0:
            best, best_ms, next_ms = None, _FAR, _FAR
            gap_since = slow_since = -math.inf
            for name, queue in queues.items():
                if queue.size:
                    head_ms = queue.chunks[0][1][queue.head].timestamp
                    if head_ms < best_ms:
                        best, best_ms, next_ms = name, head_ms, best_ms
                    elif head_ms < next_ms:
                        next_ms = head_ms
                elif not self._is_read_up(queue.topic):
                    slow_since = max(slow_since, queue.empty_since)
                elif self._is_rehearsal:
                    gap_since = max(gap_since, queue.empty_since)
            if best is None:
                return
            queue = queues[best]
            arrived, records = queue.chunks[0]
            if gap_since > -math.inf or slow_since > -math.inf:
                until = max(
                    max(arrived, gap_since) + self._max_idle_s,
                    max(arrived, slow_since) + self._slow_s if slow_since > -math.inf else 0.0,
                )
                if self._monotonic() < until:
                    self._held_until = until
                    return
            # A run: this topic's records up to the next topic's first. Equal timestamps go in the
            # order of the topics given. The caller may stop after any record.
            topic, at, last = queue.topic, queue.head, len(records) - 1
            is_first = True
            while left > 0 and (is_first or records[at].timestamp < next_ms):
                is_first = False
                record = records[at]
                queue.size -= 1
                left -= 1
                if at == last:
                    queue.chunks.popleft()
                    queue.head = 0
                    if not queue.size:
                        queue.empty_since = self._monotonic()
                    if not queue.size and best[1] != _OWN:
                        del queues[best]
                    yield topic, record
                    break
                at += 1
                queue.head = at
                yield topic, record

    def wait_s(self) -> float | None:
        """How long until a record that is held back now may go; None when none is held back."""
        if self._held_until is None:
            return None
        return max(0.0, self._held_until - self._monotonic())
