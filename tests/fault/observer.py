"""Somebody outside who reads the outputs, committed records only, while the harm is done.

With aiokafka: a consumer of librdkafka 2.16 that fetches while a broker comes back reads leaders
from memory that is not theirs, loses partitions, and crashes now and then.
"""

import asyncio
import threading
import time
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from app.settings.model import Settings

WATCHED: Final = ("decisions", "dispatch", "outcomes")

Place = tuple[str, int, int]


class Observer:
    """Reads in a thread of its own inside ``with``, from the beginning of the outputs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._logical = {settings.topic(name): name for name in WATCHED}
        #: (logical topic, partition, offset) -> value
        self.seen: dict[Place, bytes] = {}
        self.counts = dict.fromkeys(WATCHED, 0)
        #: (logical topic, partition) -> offset that it reads next
        self.positions: dict[tuple[str, int], int] = {}
        self._last_s = 0.0
        self.stall_s = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="observer")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    async def _run(self) -> None:
        reader = AIOKafkaConsumer(
            bootstrap_servers=self._settings.bootstrap_servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await reader.start()
        try:
            partitions = range(self._settings.partitions)
            tps = [TopicPartition(topic, n) for topic in self._logical for n in partitions]
            reader.assign(tps)
            for tp in tps:
                reader.seek(tp, 0)
            while not self._is_over.is_set():
                for tp, records in (await reader.getmany(timeout_ms=100)).items():
                    for each in records:
                        topic = self._logical[tp.topic]
                        self._note(topic, tp.partition, each.offset, each.value or b"")
        finally:
            await reader.stop()

    def _note(self, topic: str, partition: int, offset: int, value: bytes) -> None:
        place = topic, partition, offset
        self.positions[topic, partition] = offset + 1
        if place not in self.seen:
            self.seen[place] = value
            self.counts[topic] += 1
        if topic == "decisions":
            now_s = time.monotonic()
            if self._last_s:
                self.stall_s = max(self.stall_s, now_s - self._last_s)
            self._last_s = now_s

    def values(self) -> dict[str, list[bytes]]:
        """By topic, all that it saw so far."""
        values: dict[str, list[bytes]] = {topic: [] for topic in WATCHED}
        for (topic, _, _), value in list(self.seen.items()):
            values[topic].append(value)
        return values

    def unlike(self, places: dict[Place, bytes]) -> int:
        """How many records it saw that are not there any more, or not as they were."""
        return sum(places.get(place) != value for place, value in self.seen.items())
