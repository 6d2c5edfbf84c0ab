"""Somebody outside who reads the outputs, committed records only, while the harm is done."""

import threading
import time
from collections import Counter
from types import TracebackType
from typing import Final, Self

from confluent_kafka import Consumer, TopicPartition

from app.kafka import consumer_config
from app.settings import Settings

WATCHED: Final = ("decisions", "dispatch", "outcomes")

Place = tuple[str, int, int]


class Observer:
    """Reads in a thread of its own inside ``with``, from the beginning of the outputs."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        self._logical = {settings.topic(name): name for name in WATCHED}
        self._reader = Consumer(consumer_config(settings) | {"client.id": "observer"})
        self._reader.assign(
            [TopicPartition(topic, n, 0) for topic in self._logical for n in range(partitions)]
        )
        #: (logical topic, partition, offset) -> value
        self.seen: dict[Place, bytes] = {}
        self.counts = dict.fromkeys(WATCHED, 0)
        #: what its client said of brokers and partitions, by name
        self.errors: Counter[str] = Counter()
        self._last_s = 0.0
        self.stall_s = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()
        self._reader.close()

    def _run(self) -> None:
        while not self._is_over.is_set():
            for message in self._reader.consume(1000, 0.1):
                error = message.error()
                if error is not None:
                    # brokers are killed here; librdkafka finds them again
                    self.errors[error.name()] += 1
                    continue
                self._note(
                    self._logical[message.topic() or ""],
                    message.partition() or 0,
                    message.offset() or 0,
                    message.value() or b"",
                )

    def _note(self, topic: str, partition: int, offset: int, value: bytes) -> None:
        place = topic, partition, offset
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
