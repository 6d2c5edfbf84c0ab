"""How many fetched records of each input partition are not handled yet."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from app.kafka.types import TopicPartition

#: With so many bytes of a partition's records waiting, no more are fetched either.
BUFFERED_BYTES: Final = 4 << 20


class BufferedRecords:
    """Counts records from the fetch until they are handled durably; bounds how many may wait.

    The transport counts what it fetched and asks for which partitions there is room; the assigned
    partitions count what arrived and what was handled. Used from the worker's main loop only.
    """

    def __init__(self, capacity: int) -> None:
        """``capacity``: with so many records of a partition waiting, no more are fetched."""
        self._capacity: Final = capacity
        self._waiting: dict[TopicPartition, int] = {}
        #: about how many bytes these are: records that leave count as much as the mean
        self._bytes: dict[TopicPartition, float] = {}
        #: fetched, and not yet with the processor of the partition
        self._in_transit: dict[TopicPartition, int] = {}
        self._room = asyncio.Event()

    def fetched(
        self,
        counts: Mapping[TopicPartition, int],
        sizes: Mapping[TopicPartition, int] | None = None,
    ) -> None:
        """So many records of each partition, and so many bytes of them, are on their way."""
        for tp, size in (sizes or {}).items():
            self._bytes[tp] = self._bytes.get(tp, 0.0) + size
        for tp, count in counts.items():
            self._waiting[tp] = self._waiting.get(tp, 0) + count
            self._in_transit[tp] = self._in_transit.get(tp, 0) + count

    def arrived(self, tp: TopicPartition, count: int) -> None:
        """So many records are with the processor."""
        self._in_transit[tp] = max(0, self._in_transit.get(tp, 0) - count)

    def dropped(self, tp: TopicPartition, count: int) -> None:
        """So many records left the buffer: handled durably, or not needed."""
        waiting = self._waiting.get(tp, 0)
        left = self._waiting[tp] = max(0, waiting - count)
        self._bytes[tp] = self._bytes.get(tp, 0.0) * left / waiting if left else 0.0
        self._room.set()

    def forget(self, tps: Iterable[TopicPartition]) -> None:
        """Their partitions were revoked."""
        for tp in tps:
            self._waiting.pop(tp, None)
            self._bytes.pop(tp, None)
            self._in_transit.pop(tp, None)

    def waiting(self, tp: TopicPartition) -> int:
        """Records of the partition that are not handled."""
        return self._waiting.get(tp, 0)

    def in_transit(self, tp: TopicPartition) -> int:
        """Those of them that the processor does not have yet."""
        return self._in_transit.get(tp, 0)

    def total(self) -> int:
        """Records of all partitions that are not handled."""
        return sum(self._waiting.values())

    def with_room(self, tps: Iterable[TopicPartition]) -> set[TopicPartition]:
        """Those of the partitions that more records may be fetched of."""
        return {tp for tp in tps if self.has_room(tp)}

    def has_room(self, tp: TopicPartition) -> bool:
        """Whether more records of the partition may be fetched."""
        return (
            self._waiting.get(tp, 0) < self._capacity and self._bytes.get(tp, 0.0) < BUFFERED_BYTES
        )

    async def wait_for_room(self, timeout_s: float) -> None:
        """Until records left any buffer, or the timeout."""
        self._room.clear()
        try:
            await asyncio.wait_for(self._room.wait(), timeout_s)
        except TimeoutError:
            return
