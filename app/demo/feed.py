"""The demo's two ends of Kafka: what happens goes in, what the worker decides comes out."""

import heapq
import logging
import time
from collections.abc import Iterable
from itertools import count
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from app.core.errors import InfrastructureError
from app.demo.happening import Happening
from app.kafka.clients import consumer_config, producer_config, watermarks
from app.settings.model import Settings
from app.settings.topics import OUTPUTS

_FETCHED: Final = 500
_FLUSH_TIMEOUT_S: Final = 2.0
_ANSWER_TIMEOUT_S: Final = 1.0
_NO_ANSWER_S: Final = 15.0
#: A look at what has come; ends of partitions are told by the fetch after the last record.
_CONSUME_S: Final = 0.02
_SMALL_WAITS: Final = {"enable.partition.eof": True, "fetch.wait.max.ms": 20}
_unheard: Final = logging.getLogger(f"{__name__}.unheard")
_unheard.disabled = True
#: What a client tries again by itself is not the viewer's; what fails for good is raised.
_QUIET: Final = {"logger": _unheard, "error_cb": lambda _: None}


class Publisher:
    """Publishes each happening when its time has come; ``published`` counts them."""

    def __init__(self, settings: Settings) -> None:
        self.published = 0
        self._settings = settings
        self._producer = Producer(producer_config(settings) | _QUIET)
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
    """What the worker puts out, from the first record on. Close it.

    Partitions are fetched from while they have something that was not read, and paused otherwise:
    the embedded broker answers a fetch at once, also with nothing, and would be asked thousands of
    times a second.
    """

    def __init__(self, settings: Settings) -> None:
        self._names = {settings.topic(name): name for name in OUTPUTS}
        self._consumer = Consumer(consumer_config(settings) | _SMALL_WAITS | _QUIET)
        #: place -> the offset up to which all is read
        self._read_to = {
            (topic, partition): 0
            for topic in self._names
            for partition in range(settings.partitions)
        }
        #: places that are not paused: what is fetched of them is not thrown away before its end
        self._fetched: set[tuple[str, int]] = set()
        places = [TopicPartition(*place, 0) for place in self._read_to]
        self._consumer.assign(places)
        self._consumer.pause(places)
        self._answered_s = time.monotonic()

    def read(self, timeout_s: float) -> list[tuple[str, bytes | None]]:
        """(logical topic, value) of what has come since; returns after ``timeout_s``.

        Raises InfrastructureError when Kafka has not answered for long.
        """
        end_s = time.monotonic() + timeout_s
        try:
            messages = self._read_new(end_s)
            self._answered_s = time.monotonic()
        except KafkaException as exc:
            if time.monotonic() - self._answered_s > _NO_ANSWER_S:
                reason = exc.args[0].str()
                raise InfrastructureError(f"the output cannot be read: {reason}") from exc
            messages = []
        time.sleep(max(0.0, end_s - time.monotonic()))
        return [(self._names[message.topic() or ""], message.value()) for message in messages]

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _read_new(self, end_s: float) -> list[Message]:
        """Up to the ends of the partitions, as far as that goes until ``end_s``."""
        for place in self._read_to.keys() - self._fetched:
            if self._end(place) > self._read_to[place]:
                self._fetched.add(place)
                self._consumer.resume([TopicPartition(*place)])
        found: list[Message] = []
        while self._fetched and (left_s := end_s - time.monotonic()) > 0:
            for message in self._consumer.consume(_FETCHED, min(left_s, _CONSUME_S)):
                place = message.topic() or "", message.partition() or 0
                offset = message.offset() or 0
                error = message.error()
                if error is None:
                    found.append(message)
                    self._read_to[place] = offset + 1
                elif error.code() == KafkaError._PARTITION_EOF:
                    self._read_to[place] = offset
                    self._fetched.discard(place)
                    self._consumer.pause([TopicPartition(*place)])
        return found

    def _end(self, place: tuple[str, int]) -> int:
        return watermarks(self._consumer, TopicPartition(*place), _ANSWER_TIMEOUT_S)[1]
