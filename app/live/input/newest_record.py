"""The newest record timestamp on the input topics, read from the ends of all their partitions."""

import time
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as ClientPartition

from app.kafka.clients import consumer_config, watermarks
from app.settings.model import Settings

#: Records at the end of a partition that are looked at; more of them when these are only markers
#: of transactions.
_LAST_RECORDS: Final = 100
_BATCH_RECORDS: Final = 1_000
_POLL_S: Final = 0.2
_DEADLINE_S: Final = 30.0


def newest_record_ms(settings: Settings, partitions: int) -> int | None:
    """The largest timestamp of the last records, epoch ms, whichever worker reads them; None when
    there is no record, or Kafka did not answer in time. Blocks; call it in a thread.
    """
    end_s = time.monotonic() + _DEADLINE_S
    reader = Consumer(consumer_config(settings) | {"enable.partition.eof": True})
    newest_ms: int | None = None
    try:
        for topic in settings.input_topics.values():
            for partition in range(partitions):
                found_ms = _last_ms(reader, ClientPartition(topic, partition), end_s)
                if found_ms is not None:
                    newest_ms = max(found_ms, newest_ms or 0)
    except KafkaException:
        return None
    finally:
        reader.close()
    return newest_ms


def _last_ms(reader: Consumer, place: ClientPartition, end_s: float) -> int | None:
    """The largest timestamp among the last records of a partition."""
    low, high = watermarks(reader, place, max(0.1, end_s - time.monotonic()))
    size = _LAST_RECORDS
    while True:
        begin = max(low, high - size)
        found_ms = _largest_ms(reader, place, begin, high, end_s) if begin < high else None
        if found_ms is not None or begin <= low:
            return found_ms
        size *= 10


def _largest_ms(
    reader: Consumer, place: ClientPartition, begin: int, end: int, end_s: float
) -> int | None:
    """The largest timestamp of the records in [begin, end); None when all are markers."""
    reader.assign([ClientPartition(place.topic, place.partition, begin)])
    stamps: list[int] = []
    while time.monotonic() < end_s:
        for message in reader.consume(_BATCH_RECORDS, _POLL_S):
            error: Any = message.error()
            offset = message.offset()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if error is None:
                stamps.append(message.timestamp()[1])
            if error is not None or (offset is not None and offset >= end - 1):
                return max(stamps, default=None)
    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
