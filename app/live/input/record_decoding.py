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

from app.kafka.types import FetchedRecord, TopicPartition


def unpack_gzip_at_once() -> None:
    """Let aiokafka unpack gzip by one call, not by Python's reader of files."""
    vars(sys.modules[DefaultRecordBatch.__module__])["gzip_decode"] = cramjam.gzip.decompress


def decode_lean(
    fetched: Mapping[TopicPartition, Any], is_changelog: Callable[[TopicPartition], bool]
) -> None:
    """Have records handed over with what they are asked for: aiokafka's own say more, and to make
    them costs as much as to decode. Entries of a changelog stay as they were decoded, which says
    neither topic nor partition.

    ``fetched`` is what a fetcher has and nobody has taken yet.
    """
    for tp, result in fetched.items():
        if isinstance(result, FetchResult):
            make = _as_decoded if is_changelog(tp) else _as_fetched
            result._partition_records._consumer_record = make


def _as_decoded(_: TopicPartition, record: Any) -> Any:
    return record


def _as_fetched(tp: TopicPartition, record: Any) -> FetchedRecord:
    return FetchedRecord(
        tp.topic,
        tp.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        # an empty list would stay, and be walked by the collector, as long as the record
        record.headers or (),
    )
