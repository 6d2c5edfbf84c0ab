"""Produced records whose broker acknowledgements are awaited together."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol

from confluent_kafka import KafkaError, Message

from app.core.errors import InfrastructureError

#: How often a waiting unit looks for acknowledgements.
_POLL_S: Final = 0.001
#: How long to wait for room in a full producer queue before looking again.
_FULL_S: Final = 0.05

Headers = Sequence[tuple[str, bytes | None]]


class Producer(Protocol):
    """The part of confluent-kafka's producer that is used."""

    def produce(self, *args: Any, **kwargs: Any) -> None: ...
    def poll(self, timeout: float) -> int: ...
    def flush(self, timeout: float) -> int: ...


class PendingDeliveries:
    """A group of produced records whose acknowledgements are awaited together.

    ``send`` only queues; ``wait`` returns when the broker has all of them and raises
    InfrastructureError when it refused one.
    """

    __slots__ = ("_error", "_pending", "_producer", "last_offset", "sent")

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._pending = 0
        self._error: KafkaError | None = None
        self.sent = 0
        #: the largest offset acknowledged; meaningful when all went to one partition
        self.last_offset = -1

    def send(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None = None,
    ) -> None:
        """Queue one record. Waits, holding everything up, while the producer's queue is full."""
        more = {"headers": list(headers)} if headers else {}
        while True:
            try:
                self._producer.produce(topic, value, key, partition, self._delivered, **more)
            except BufferError:
                self._producer.poll(_FULL_S)
            else:
                self._pending += 1
                self.sent += 1
                return

    async def wait(self) -> None:
        """Return once every record sent is acknowledged. Raises InfrastructureError."""
        poll = self._producer.poll
        while self._pending:
            poll(0)
            if self._pending:
                await asyncio.sleep(_POLL_S)
        if self._error is not None:
            raise InfrastructureError(
                f"Kafka did not take a record: {self._error.str()}; the batch is read again"
            )

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        self._pending -= 1
        if error is not None:
            self._error = error
            return
        offset = message.offset()
        if offset is not None and offset > self.last_offset:
            self.last_offset = offset
