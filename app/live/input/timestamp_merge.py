"""Merges the records of one partition, from all topics, in the order of their timestamps."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from app.kafka.types import InputRecord
from app.settings.topics import REPARTITION

Monotonic = Callable[[], float]
#: Logical topic -> the instant, epoch ms, as of which all that the broker has of it is here; None
#: while more is known to be there, or its end is not known.
ReadUpAsOf = Callable[[str], int | None]

#: Later than any timestamp that a record can have.
_FAR: Final = 1 << 64
#: The origin of records that are where they belong.
_OWN: Final = -1


class _Queue:
    """What is buffered of one topic. Records keep their order in it, whatever their timestamps."""

    __slots__ = ("chunks", "empty_since", "head", "next_offset", "size", "topic")

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.empty_since = 0.0
        #: (when it was added, when the broker had answered, records); ``head`` is the place in
        #: the first chunk
        self.chunks: deque[tuple[float, int, list[InputRecord]]] = deque()
        self.head = 0
        self.size = 0
        #: of the first record not yet added
        self.next_offset = -1


class TimestampMerge:
    """Buffers records per topic and hands them out merged. Owned by a partition's processor.

    A record is handed out when every other topic has one waiting that is not older, or is known to
    have none: it was read up to its end as of an instant not before the broker sent the record. A
    topic of which this is not known is waited for, however long it takes.

    With ``is_rehearsal`` a topic that is read up is waited for as well, because its publisher may
    still be writing what belongs before: until it has had nothing for ``max_idle_s`` while the
    record was here.

    Records that came by way of another partition wait in a queue for each topic and partition that
    they come from, which is there while it holds any. The repartition topic, which brings them, is
    waited for unless its buffer is full of them: no more can come then before some are handled.
    """

    def __init__(
        self,
        topics: Iterable[str],
        read_up_as_of: ReadUpAsOf,
        max_idle_s: float,
        *,
        has_room: Callable[[str], bool] = lambda _: True,
        is_rehearsal: bool = False,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._ranks = {topic: rank for rank, topic in enumerate(topics)}
        #: by topic, and by topic and partition of origin; in the order of equal timestamps
        self._queues: dict[tuple[str, int], _Queue] = {
            (topic, _OWN): _Queue(topic) for topic in self._ranks
        }
        self._read_up_as_of = read_up_as_of
        self._max_idle_s = max_idle_s
        self._has_room = has_room
        self._is_rehearsal = is_rehearsal
        self._monotonic = monotonic
        #: when a record that a rehearsal holds back may go, by ``monotonic``
        self._held_until: float | None = None
        #: the topic whose end has to be known before anything is handed out
        self.waits_for: str | None = None

    def __len__(self) -> int:
        return sum(queue.size for queue in self._queues.values())

    def add(self, topic: str, records: list[InputRecord], as_of_ms: int, origin: int = _OWN) -> int:
        """Buffer records of a topic, in offset order; returns how many were had before.

        ``as_of_ms`` is when the broker had last answered for the partition that they were read of;
        ``origin`` is the partition that they come from when it is another one.
        """
        queue = self._queues.get((topic, origin)) or self._add_queue(topic, origin)
        had = 0
        while had < len(records) and records[had].offset < queue.next_offset:
            had += 1
        if had:
            records = records[had:]
        if records:
            queue.chunks.append((self._monotonic(), as_of_ms, records))
            queue.size += len(records)
            queue.next_offset = records[-1].offset + 1
        return had

    def _add_queue(self, topic: str, origin: int) -> _Queue:
        queue = self._queues[topic, origin] = _Queue(topic)
        self._queues = dict(
            sorted(self._queues.items(), key=lambda item: (self._ranks[item[0][0]], item[0][1]))
        )
        return queue

    def upcoming(self, limit: int) -> list[InputRecord]:
        """Records among which the next ``limit`` to be handed out are, as far as each topic's first
        batch has them; in no particular order.
        """
        found: list[InputRecord] = []
        for queue in self._queues.values():
            if queue.size:
                found += queue.chunks[0][2][queue.head : queue.head + limit]
        return found

    def take(self, limit: int) -> Iterator[tuple[str, InputRecord]]:
        """Up to ``limit`` records that may be handed out now, each removed as it is yielded."""
        queues, left = self._queues, limit
        self._held_until = self.waits_for = None
        while left > 0:
            best, best_ms, until_ms = None, _FAR, _FAR
            empty: list[_Queue] = []
            has_forwarded = False
            for name, queue in queues.items():
                if queue.size:
                    has_forwarded = has_forwarded or name[1] != _OWN
                    head_ms = queue.chunks[0][2][queue.head].timestamp
                    if head_ms < best_ms:
                        best, best_ms, until_ms = name, head_ms, best_ms
                    elif head_ms < until_ms:
                        until_ms = head_ms + 1
                else:
                    empty.append(queue)
            if best is None:
                return
            queue = queues[best]
            added, as_of_ms, records = queue.chunks[0]
            if has_forwarded and not self._has_room(REPARTITION):
                empty = [each for each in empty if each.topic != REPARTITION]
            if empty and not self._may_pass(empty, added, as_of_ms):
                return
            # A run: this topic's records up to the first of another one. Equal timestamps go in the
            # order of the topics given. The caller may stop after any record.
            topic, at, last = queue.topic, queue.head, len(records) - 1
            while left > 0 and records[at].timestamp < until_ms:
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

    def _may_pass(self, empty: list[_Queue], added: float, as_of_ms: int) -> bool:
        """Whether a record may go that was added, and sent by the broker, then."""
        for queue in empty:
            read_up_ms = self._read_up_as_of(queue.topic)
            if read_up_ms is None or read_up_ms < as_of_ms:
                self.waits_for = queue.topic
                return False
        if self._is_rehearsal:
            quiet_since = max(added, *(queue.empty_since for queue in empty))
            until = quiet_since + self._max_idle_s
            if self._monotonic() < until:
                self._held_until = until
                return False
        return True

    def wait_s(self) -> float | None:
        """How long until a record that a rehearsal holds back may go; None when it holds none."""
        if self._held_until is None:
            return None
        return max(0.0, self._held_until - self._monotonic())
