"""The demo's two ends of Kafka: what happens goes in, what the worker decides comes out."""

import heapq
from collections.abc import Iterable
from itertools import count
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from app.core.errors import InfrastructureError
from app.demo.happening import Happening
from app.kafka.clients import consumer_config, producer_config
from app.settings.model import Settings
from app.settings.topics import OUTPUTS

_FETCHED: Final = 500
_FLUSH_TIMEOUT_S: Final = 2.0


class Publisher:
    """Publishes each happening when its time has come; ``published`` counts them."""

    def __init__(self, settings: Settings) -> None:
        self.published = 0
        self._settings = settings
        self._producer = Producer(producer_config(settings))
        self._waiting: list[tuple[int, int, Happening]] = []
        self._numbers = count()
        self._failure = ""

    def add(self, happenings: Iterable[Happening]) -> None:
        """To be published at their ``at_ms``; those of one instant in the order added."""
        for happening in happenings:
            heapq.heappush(self._waiting, (happening.at_ms, next(self._numbers), happening))

    def publish_due(self, now_ms: int) -> None:
        """Hand over what is due. Raises InfrastructureError when something was not delivered."""
        while self._waiting and self._waiting[0][0] <= now_ms:
            happening = heapq.heappop(self._waiting)[2]
            self._producer.produce(
                self._settings.topic(happening.topic),
                happening.value(),
                happening.customer_id.encode(),
                on_delivery=self._on_delivery,
            )
            self.published += 1
        self._producer.poll(0)
        if self._failure:
            raise InfrastructureError(f"an event could not be published: {self._failure}")

    def close(self) -> None:
        """Wait for what was handed over."""
        self._producer.flush(_FLUSH_TIMEOUT_S)

    def _on_delivery(self, error: Any, _: Message) -> None:
        if error is not None:
            self._failure = self._failure or error.str()


class Reader:
    """What the worker puts out, from the first record on. Close it."""

    def __init__(self, settings: Settings) -> None:
        self._names = {settings.topic(name): name for name in OUTPUTS}
        self._consumer = Consumer(consumer_config(settings))
        self._consumer.assign(
            [
                TopicPartition(topic, partition, 0)
                for topic in self._names
                for partition in range(settings.partitions)
            ]
        )

    def read(self, timeout_s: float) -> list[tuple[str, bytes | None]]:
        """(logical topic, value) of what has come since, after at most ``timeout_s``."""
        try:
            messages = self._consumer.consume(_FETCHED, timeout_s)
        except KafkaException as exc:
            raise InfrastructureError(f"the output cannot be read: {exc.args[0].str()}") from exc
        return [
            (self._names[message.topic() or ""], message.value())
            for message in messages
            if message.error() is None
        ]

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()
