"""The way of a misrouted record: found, wrapped, unwrapped, put in order, accounted for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import EventError
from app.core.events import MAX_VALUE_BYTES
from app.kafka.partitioning import partition_for
from app.kafka.types import FetchedRecord
from app.live.clock.watermark import BEGINNING_OF_TIME_MS
from app.live.input.timestamp_merge import TimestampMerge
from app.live.repartition.envelope import unwrap, wrap
from app.live.repartition.incoming import RepartitionInput
from app.live.repartition.outgoing import TRUSTED_RECORDS, MisroutedRecords
from app.live.repartition.progress import (
    FAR_MS,
    RepartitionProgress,
    RepartitionWatermark,
    Reported,
)

PARTITIONS = 4
#: of partition 1, and of another
OURS = next(f"c{n}".encode() for n in range(99) if partition_for(f"c{n}".encode(), PARTITIONS) == 1)
OTHERS = next(
    f"c{n}".encode() for n in range(99) if partition_for(f"c{n}".encode(), PARTITIONS) != 1
)


def record(
    offset: int,
    key: bytes | None = OTHERS,
    value: bytes | None = b"{}",
    *,
    topic: str = "t.orders",
    partition: int = 1,
    timestamp: int = 7,
    headers: tuple[tuple[str, bytes | None], ...] = (),
) -> Any:
    return FetchedRecord(topic, partition, offset, timestamp, key, value, headers)


def sent_on(original: Any, offset: int) -> Any:
    """What the repartition topic has of it."""
    misrouted = wrap("orders", original, b"c1" if original.key is None else original.key)
    return record(
        offset,
        misrouted.key,
        misrouted.value,
        topic="app-repartition",
        headers=tuple(misrouted.headers),
    )


@given(
    st.none() | st.binary(max_size=8),
    st.none() | st.binary(max_size=8),
    st.lists(
        st.tuples(
            st.sampled_from(["ce_id", "trigger-source-topic", "trigger-source-keyed"]),
            st.none() | st.binary(max_size=4),
        ),
        max_size=7,
    ),
    st.integers(-1, 1 << 62),
)
def test_a_record_comes_out_as_it_went_in(
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes | None]],
    timestamp: int,
) -> None:
    """Whatever its publisher wrote, headers with our own names too."""
    original = record(9, key, value, timestamp=timestamp, headers=tuple(headers))
    found = unwrap(sent_on(original, 3))
    for field in ("topic", "partition", "offset", "timestamp", "key", "value", "headers"):
        assert getattr(found, field) == getattr(original, field)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("trigger-source-topic", b"t.orders"),),
        tuple(
            (f"trigger-source-{name}", b"x")
            for name in ("topic", "partition", "offset", "timestamp", "keyed")
        ),
    ],
)
def test_what_others_write_onto_the_topic_is_not_taken_for_ours(
    headers: tuple[tuple[str, bytes | None], ...],
) -> None:
    """A dead letter, not a crash."""
    with pytest.raises(EventError) as caught:
        unwrap(record(0, headers=headers))
    assert caught.value.reason == "not_rerouted"


def test_misrouted_records_are_those_whose_key_is_of_another_partition() -> None:
    """Without a key the customer id inside decides; a record without either stays where it is."""
    misrouted = MisroutedRecords(["orders"], 1, PARTITIONS)
    envelope = b'{"event_id":"e","type":"t","customer_id":"%b","occurred_at":1,"data":{}}'
    misrouted.find(
        "orders",
        [
            record(0, OURS),
            record(1, OTHERS),
            record(2, None, envelope % OTHERS),
            record(3, None, envelope % OURS),
            record(4, None, b"not json"),
            record(5, OTHERS, b"x" * (MAX_VALUE_BYTES + 1)),
            record(6, OTHERS, headers=(("h", b"x" * MAX_VALUE_BYTES),)),
            record(7, OTHERS),
        ],
    )
    assert [misrouted.key for misrouted in misrouted.take_pending()] == [OTHERS] * 3
    assert misrouted.take_pending() == []
    found = []
    for offset in range(8):
        if misrouted.is_next("orders", offset):
            misrouted.pass_by("orders")
            found.append(offset)
    assert found == [1, 2, 7]


def test_topic_is_in_doubt_until_it_had_no_misrouted_record_for_long() -> None:
    """One of them begins the count again."""
    misrouted = MisroutedRecords(["orders"], 1, PARTITIONS)
    clean = [record(offset, OURS) for offset in range(TRUSTED_RECORDS)]
    assert misrouted.topics_in_doubt() == ["orders"]
    misrouted.find("orders", clean)
    assert misrouted.topics_in_doubt() == []
    misrouted.find("orders", [record(TRUSTED_RECORDS)])
    assert misrouted.topics_in_doubt() == ["orders"]


def test_positions_pass_what_is_handled_only() -> None:
    """Records are handled by timestamp, committed by offset; repeats and foreign ones count."""
    merge = TimestampMerge(["orders"], lambda _: 0, 1.0)
    repartitioned = RepartitionInput({"t.orders": "orders"}, merge)
    records = [
        sent_on(record(10, partition=2, timestamp=50), 0),
        sent_on(record(7, partition=3, timestamp=40), 1),
        record(2, headers=()),
        sent_on(record(10, partition=2, timestamp=50), 3),
        sent_on(record(11, partition=2, timestamp=60, topic="t.gone"), 4),
    ]
    assert repartitioned.add(records[:3], 0) == 0
    assert repartitioned.add(records, 0) == 3
    assert len(merge) == 2
    rejected, position = repartitioned.take_rejected()
    assert [(each.offset, error and error.reason) for each, error in rejected] == [
        (2, "not_rerouted"),
        (3, None),
        (4, "not_rerouted"),
    ]
    assert position == 0
    positions = [(each.timestamp, repartitioned.handled(each)) for _, each in merge.take(9)]
    assert positions == [(40, 0), (50, 5)]


def test_watermark_advances_once_all_that_was_forwarded_has_been_read() -> None:
    """What was reported at an instant holds from an answer on that is surely later."""
    progress = RepartitionProgress()
    progress.report(0, Reported(5_000))
    progress.report(1, Reported(BEGINNING_OF_TIME_MS))
    watermark = RepartitionWatermark(progress)
    assert watermark.advance(10_000, None) == BEGINNING_OF_TIME_MS
    assert watermark.advance(10_100, 12_000) == BEGINNING_OF_TIME_MS
    progress.report(1, Reported(6_000))
    assert watermark.advance(13_000, 13_000) == BEGINNING_OF_TIME_MS
    assert watermark.advance(13_100, 13_249) == BEGINNING_OF_TIME_MS
    progress.report(1, Reported(4_000))
    assert watermark.advance(14_000, 13_250 + 3_000) == 5_000
    progress.forget(1)
    progress.report(0, Reported(FAR_MS))
    assert watermark.advance(20_000, 20_500) == 4_000
    assert watermark.advance(21_000, 21_000) == 20_000
