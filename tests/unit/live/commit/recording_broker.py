"""A broker by hand: logs, group offsets and transactions, and the two producers that write them.

A crash drops what the broker has not acknowledged (``keeps_unacknowledged`` says otherwise) and
aborts the open transaction, as Kafka does when the next producer of the id begins.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException

Callback = Callable[[KafkaError | None, Any], None]


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record of a topic; also what a delivery callback gets as its message."""

    topic: str
    at: int
    key: bytes | None
    value: bytes | None
    partition: int = 0
    headers: tuple[tuple[str, bytes | None], ...] = ()

    def offset(self) -> int:
        """As confluent-kafka's message has it."""
        return self.at


def group_key(topic: str, partition: int) -> str:
    """Where the group's offset of a partition is: under the topic's name for the first one."""
    return f"{topic}/{partition}" if partition else topic


@dataclass(slots=True)
class Broker:
    """What has been written, by topic, and what the group has committed by ``group_key``."""

    keeps_unacknowledged: bool = True
    log: list[LogRecord] = field(default_factory=list)
    committed: dict[str, int] = field(default_factory=dict)
    next_offset: int = 0

    def of(self, topic: str, partition: int | None = None) -> list[LogRecord]:
        """The records of a topic, or a partition of it, that a read-committed reader gets."""
        return [
            record
            for record in self.log
            if record.topic == topic and partition in (None, record.partition)
        ]

    def place(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int = 0,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> LogRecord:
        """A record that takes the next offset and is not visible yet."""
        record = LogRecord(topic, self.next_offset, key, value, partition, tuple(headers))
        self.next_offset += 1
        return record


class RecordingProducer:
    """Implements ``app.live.commit.deliveries.Producer``: acknowledges when it is polled."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._unacknowledged: list[tuple[LogRecord, Callback]] = []
        #: topics whose records are refused
        self.refused: set[str] = set()

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        callback: Callback,
        headers: Sequence[tuple[str, bytes | None]] = (),
        timestamp: int = 0,
    ) -> None:
        self._unacknowledged.append(
            (self._broker.place(topic, key, value, partition, headers), callback)
        )

    def poll(self, timeout: float) -> int:
        for record, callback in self._unacknowledged:
            if record.topic in self.refused:
                callback(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), record)
                continue
            self._broker.log.append(record)
            callback(None, record)
        count = len(self._unacknowledged)
        self._unacknowledged = []
        return count

    def flush(self, timeout: float) -> int:
        self.poll(timeout)
        return 0

    def crash(self) -> None:
        """The process is gone: what was under way has reached the broker, or has not."""
        if self._broker.keeps_unacknowledged:
            self._broker.log += [record for record, _ in self._unacknowledged]
        self._unacknowledged = []


class RecordingTransactions:
    """Implements ``app.live.commit.transactions.TransactionalProducer``."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._open: list[LogRecord] | None = None
        self._callbacks: list[tuple[LogRecord, Callback]] = []
        self._offsets: dict[str, int] = {}
        #: raised when offsets are sent
        self.fence: KafkaException | None = None
        #: raised by each call of the method of that name
        self.errors: dict[str, Exception] = {}
        self.aborted = 0

    def begin_transaction(self) -> None:
        assert self._open is None, "a producer has one transaction at a time"
        self._open, self._offsets = [], {}

    def produce(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        partition: int,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> None:
        assert self._open is not None
        self._open.append(self._broker.place(topic, key, value, partition, headers))

    def produce_batch(self, topic: str, messages: list[dict[str, Any]], partition: int) -> int:
        assert self._open is not None
        for message in messages:
            record = self._broker.place(topic, message["key"], message["value"], partition)
            self._open.append(record)
            if "callback" in message:
                self._callbacks.append((record, message["callback"]))
        return len(messages)

    def _raise_for(self, method: str) -> None:
        if method in self.errors:
            raise self.errors[method]

    def flush(self, timeout: float) -> int:
        self._raise_for("flush")
        for record, callback in self._callbacks:
            callback(None, record)
        self._callbacks = []
        return 0

    def send_offsets_to_transaction(self, offsets: list[Any], *_: object) -> None:
        if self.fence is not None:
            raise self.fence
        self._offsets |= {group_key(each.topic, each.partition): each.offset for each in offsets}

    def commit_transaction(self, timeout: float) -> None:
        self._raise_for("commit_transaction")
        assert self._open is not None
        self._broker.log += self._open
        self._broker.committed |= self._offsets
        self._open = None

    def abort_transaction(self, timeout: float) -> None:
        self._raise_for("abort_transaction")
        self._open = None
        self.aborted += 1

    def purge(self) -> None:
        """What was not sent is given up."""
        self._callbacks = []

    def crash(self) -> None:
        """The process is gone; the next producer of this id aborts what is open."""
        self._open = None
