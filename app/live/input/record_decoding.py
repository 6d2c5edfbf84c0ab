"""What aiokafka makes of the bytes of a fetch, where its own way costs more than it has to.

Called in the consumer's thread. Both depend on names inside aiokafka, which
``tests/unit/live/input/test_record_decoding.py`` holds.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import cramjam
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.record.default_records import DefaultRecordBatch

from app.kafka.types import TopicPartition


def unpack_gzip_at_once() -> None:
    """Let aiokafka unpack gzip by one call, not by Python's reader of files."""
    vars(sys.modules[DefaultRecordBatch.__module__])["gzip_decode"] = cramjam.gzip.decompress


def leave_decoded(
    fetched: Mapping[TopicPartition, Any], is_wanted: Callable[[TopicPartition], bool]
) -> None:
    """Hand records of these partitions over as they were decoded, with offset, timestamp, key,
    value and headers: a ConsumerRecord says the topic and partition as well, and costs as much.

    ``fetched`` is what a fetcher has and nobody has taken yet.
    """
    for tp, result in fetched.items():
        if isinstance(result, FetchResult) and is_wanted(tp):
            result._partition_records._consumer_record = _as_decoded


def _as_decoded(_: TopicPartition, record: Any) -> Any:
    return record
