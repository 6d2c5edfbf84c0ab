"""One customer's newest decisions, read back from the ``decisions`` topic on request.

Nothing is kept for it while deciding, and it survives restarts and moves between workers. How far
back it looks is bounded by records and by time, so an answer says since when it is complete.
"""

import time
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from app.core.errors import InfrastructureError
from app.kafka.clients import consumer_config, watermarks
from app.settings.model import Settings

#: Records of the partition that are looked at: first so many of the newest, then more.
MAX_RECORDS: Final = 40_000
_FIRST_RECORDS: Final = 2_000
_GROWTH: Final = 4
#: What was read by then is the answer.
DEADLINE_S: Final = 3.0
_BATCH_RECORDS: Final = 1_000


class RecentDecisions(NamedTuple):
    """``lines`` are JSON, oldest first. What is older than ``since_ms`` (by record timestamp) was
    not looked at; None: nothing is.
    """

    lines: list[bytes]
    since_ms: int | None


def read_back(
    settings: Settings,
    partition: int,
    customer_id: str,
    wanted: int,
    *,
    max_records: int = MAX_RECORDS,
    deadline_s: float = DEADLINE_S,
) -> RecentDecisions:
    """The customer's decisions in the end of the partition, until ``wanted`` are found.

    Blocks for ``deadline_s`` at the most. Raises InfrastructureError when Kafka gives nothing.
    """
    end_s = time.monotonic() + deadline_s
    reader = Consumer(consumer_config(settings) | {"enable.partition.eof": True})
    try:
        return _Reading(reader, settings.topic("decisions"), partition, customer_id, end_s).back(
            wanted, max_records
        )
    except KafkaException as exc:
        raise InfrastructureError(
            f"{settings.topic('decisions')}: Kafka does not answer: {exc.args[0].str()}"
        ) from exc
    finally:
        reader.close()


class _Reading:
    """One reader on one partition, from its end towards its start."""

    def __init__(
        self, reader: Consumer, topic: str, partition: int, customer_id: str, end_s: float
    ) -> None:
        self._reader = reader
        self._topic, self._partition = topic, partition
        self._key = customer_id.encode()
        self._end_s = end_s
        self._first_ms: int | None = None

    def back(self, wanted: int, max_records: int) -> RecentDecisions:
        asked = TopicPartition(self._topic, self._partition)
        low, high = watermarks(self._reader, asked, self._left_s())
        found: list[bytes] = []
        start, size, floor = high, _FIRST_RECORDS, max(low, high - max_records)
        while start > floor and len(found) < wanted:
            begin = max(floor, start - size)
            lines = self._read_range(begin, start)
            if lines is None:
                break
            found[:0] = lines
            start, size = begin, size * _GROWTH
        if start == high > low and wanted:
            raise InfrastructureError(f"{self._topic}: Kafka did not hand over records in time")
        # a worker that ends between effects sends a decision again: the same line counts once
        return RecentDecisions(list(dict.fromkeys(found)), None if start <= low else self._first_ms)

    def _read_range(self, begin: int, end: int) -> list[bytes] | None:
        """The customer's lines in [begin, end); None when they do not come in time."""
        self._reader.assign([TopicPartition(self._topic, self._partition, begin)])
        lines: list[bytes] = []
        first_ms: int | None = None
        key, last = self._key, end - 1
        while True:
            left_s = self._left_s()
            if left_s <= 0.001:
                return None
            is_over = False
            for message in self._reader.consume(_BATCH_RECORDS, min(left_s, 0.2)):
                error: Any = message.error()
                if error is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    is_over = True
                    continue
                offset, value = message.offset(), message.value()
                assert offset is not None
                if first_ms is None:
                    first_ms = message.timestamp()[1]
                if offset <= last and message.key() == key and value is not None:
                    lines.append(value)
                is_over = is_over or offset >= last
            if is_over:
                self._first_ms = self._first_ms if first_ms is None else first_ms
                return lines

    def _left_s(self) -> float:
        return max(0.001, self._end_s - time.monotonic())
