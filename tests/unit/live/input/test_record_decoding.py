"""Records out of the bytes of a fetch, by aiokafka's own classes."""

import gzip
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka.codec import gzip_decode
from aiokafka.consumer.fetcher import FetchError, FetchResult, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord

from app.kafka.types import FetchedRecord, TopicPartition
from app.live.input.record_decoding import decode_lean, unpack_gzip_at_once

INPUT = TopicPartition("orders", 0)
CHANGELOG = TopicPartition("changelog", 0)
ENTRIES = [(0, 5, b"a", b"x" * 3_000), (1, 6, b"b", None), (2, 7, None, b""), (3, 7, b"\xff", b"y")]
_GZIP = 1


@pytest.fixture
def decoding() -> Iterator[dict[str, Any]]:
    """The names of the module in which aiokafka decodes, its own way."""
    names = vars(sys.modules[DefaultRecordBatch.__module__])
    before = names["gzip_decode"]
    names["gzip_decode"] = gzip_decode
    yield names
    names["gzip_decode"] = before


def batch(compression: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 1 << 20)
    for offset, timestamp, key, value in ENTRIES:
        builder.append(offset, timestamp, key, value, [("h", b"1")])
    return bytes(builder.build())


def fetched(tp: TopicPartition, content: bytes) -> FetchResult:
    """What a fetcher keeps of an answer, until it is asked for."""
    records = PartitionRecords(tp, MemoryRecords(content), [], 0, None, None, True, 1)
    return FetchResult(tp, assignment=None, partition_records=records, backoff=0.0)


def said(record: Any) -> tuple[Any, ...]:
    return record.offset, record.timestamp, record.key, record.value


def test_records_are_handed_over_with_what_they_are_asked_for() -> None:
    """Changelog entries as they were decoded, input records with their places."""
    results: dict[TopicPartition, Any] = {tp: fetched(tp, batch()) for tp in (INPUT, CHANGELOG)}
    results[TopicPartition("changelog", 1)] = FetchError(error=ValueError("lost"), backoff=0.0)
    decode_lean(results, lambda tp: tp.topic == "changelog")
    found = {tp: list(results[tp]._partition_records) for tp in (INPUT, CHANGELOG)}
    for records in found.values():
        assert list(map(said, records)) == ENTRIES
        assert [list(record.headers) for record in records] == [[("h", b"1")]] * len(ENTRIES)
    assert {(record.topic, record.partition) for record in found[INPUT]} == {INPUT}
    assert {type(record) for record in found[INPUT]} == {FetchedRecord}
    assert not any(isinstance(record, ConsumerRecord) for record in found[CHANGELOG])
    for tp in (INPUT, CHANGELOG):
        assert results[tp]._partition_records.next_fetch_offset == len(ENTRIES)


def test_no_list_is_kept_of_a_record_without_headers() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    builder.append(0, 5, b"a", b"x", [])
    result = fetched(INPUT, bytes(builder.build()))
    decode_lean({INPUT: result}, lambda _: False)
    assert [record.headers for record in result._partition_records] == [()]


def test_gzip_is_unpacked_at_once_into_the_same_records(decoding: dict[str, Any]) -> None:
    """Batches in which there is anything wrong are refused, as before."""
    unpack_gzip_at_once()
    unpack = decoding["gzip_decode"]
    assert unpack is not gzip_decode
    found = [said(record) for record in DefaultRecordBatch(batch(_GZIP))]
    assert found == ENTRIES
    packed = gzip.compress(b"ab" * 500) + gzip.compress(b"c")
    assert bytes(unpack(packed)) == gzip_decode(packed) == b"ab" * 500 + b"c"
    for wrong in (packed[:-1], packed[:20], b"nonsense", packed[:-8] + bytes(8)):
        for each in (gzip_decode, unpack):
            with pytest.raises(Exception, match=r"\w"):
                each(wrong)
