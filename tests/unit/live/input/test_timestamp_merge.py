"""Merging the topics of one partition number by record timestamp."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kafka.types import FetchedRecord
from app.live.input.timestamp_merge import TimestampMerge

TOPICS = ("orders", "bookings")


class Manual:
    """A clock and what is known of the topics' ends, by hand."""

    def __init__(self, *, is_rehearsal: bool = False) -> None:
        self.now_s = 0.0
        #: as of when each topic is known to be read up to its end
        self.read_up: dict[str, int | None] = {"orders": 0, "bookings": 0}
        self.buffer = TimestampMerge(
            TOPICS,
            self.read_up.get,
            1.0,
            is_rehearsal=is_rehearsal,
            monotonic=lambda: self.now_s,
        )

    def add(
        self, topic: str, *stamps: int, first: int = 0, as_of_ms: int = 0, origin: int = -1
    ) -> int:
        return self.buffer.add(
            topic,
            [record(topic, first + at, stamp) for at, stamp in enumerate(stamps)],
            as_of_ms,
            origin,
        )

    def take(self, limit: int = 100) -> list[tuple[str, int]]:
        return [(topic, each.timestamp) for topic, each in self.buffer.take(limit)]


def record(topic: str, offset: int, timestamp: int) -> FetchedRecord:
    return FetchedRecord(topic, 0, offset, timestamp, None, None, ())


def test_records_come_by_timestamp_and_equal_ones_by_topic() -> None:
    """Two buffered topics are one stream; each keeps its own order."""
    manual = Manual()
    manual.add("bookings", 2, 3, 9)
    manual.add("orders", 1, 3, 2, 10)
    assert manual.take() == [
        ("orders", 1),
        ("bookings", 2),
        ("orders", 3),
        ("orders", 2),
        ("bookings", 3),
        ("bookings", 9),
        ("orders", 10),
    ]


def test_topic_of_which_more_is_there_is_waited_for_however_slowly_it_comes() -> None:
    """No time-out takes the place of knowing; a topic whose end is not known is waited for too."""
    manual = Manual()
    manual.read_up["bookings"] = None
    manual.add("orders", 5, as_of_ms=100)
    for _ in range(3):
        manual.now_s += 3600.0
        assert manual.take() == []
        assert manual.buffer.wait_s() is None
        assert manual.buffer.waits_for == "bookings"
    manual.add("bookings", 4, as_of_ms=100)
    assert manual.take() == [("bookings", 4)]
    manual.read_up["bookings"] = 100
    assert manual.take() == [("orders", 5)]
    assert manual.buffer.waits_for is None


def test_an_older_answer_does_not_show_that_nothing_came_meanwhile() -> None:
    """A profile may have been written after the answer and before the order was read."""
    manual = Manual()
    manual.read_up["bookings"] = 99
    manual.add("orders", 5, as_of_ms=100)
    assert manual.take() == []
    manual.read_up["bookings"] = 100
    assert manual.take() == [("orders", 5)]
    manual.add("orders", 6, 7, first=1, as_of_ms=100)
    manual.add("orders", 8, first=3, as_of_ms=150)
    assert manual.take() == [("orders", 6), ("orders", 7)]
    assert manual.buffer.waits_for == "bookings"


def test_repartition_topic_is_waited_for_unless_its_buffer_is_full() -> None:
    """What is here of it has to be handled before more of it can be fetched."""
    read_up: dict[str, int | None] = {"orders": 0, "repartition": None}
    has_room = [True]
    merge = TimestampMerge(
        ["orders", "repartition"], read_up.get, 1.0, has_room=lambda _: has_room[0]
    )
    merge.add("orders", [record("orders", 0, 5)], 0)
    merge.add("orders", [record("orders", 0, 4)], 0, origin=2)
    assert list(merge.take(9)) == []
    assert merge.waits_for == "repartition"
    has_room[0] = False
    assert [each.timestamp for _, each in merge.take(9)] == [4]
    assert merge.waits_for == "repartition"
    read_up["repartition"] = 0
    assert [each.timestamp for _, each in merge.take(9)] == [5]


def test_a_rehearsal_waits_for_topics_at_their_end_too() -> None:
    """Their publisher may still be writing."""
    manual = Manual(is_rehearsal=True)
    manual.add("orders", 5)
    assert manual.take() == []
    manual.add("bookings", 7)
    assert manual.take() == [("orders", 5)]
    manual.now_s = 2.0
    assert manual.take() == [("bookings", 7)]


def test_a_rehearsal_waits_for_what_is_known_to_be_there() -> None:
    """A machine may be so busy that a topic is read much later than another."""
    manual = Manual(is_rehearsal=True)
    manual.read_up["bookings"] = None
    manual.add("orders", 5)
    manual.now_s = 5000.0
    assert manual.take() == []
    manual.add("bookings", 4)
    assert manual.take() == [("bookings", 4)]
    manual.read_up["bookings"] = 0
    assert manual.take() == []
    assert manual.buffer.wait_s() == 1.0
    manual.now_s += 1.0
    assert manual.take() == [("orders", 5)]


def test_a_limit_leaves_the_rest_and_repeats_are_dropped() -> None:
    """A batch delivered again adds only what is new of it."""
    manual = Manual()
    assert manual.add("orders", 1, 2, 3) == 0
    assert manual.take(2) == [("orders", 1), ("orders", 2)]
    assert manual.add("orders", 2, 3, 4, first=1) == 2
    assert len(manual.buffer) == 2
    assert manual.take() == [("orders", 3), ("orders", 4)]


def test_rerouted_records_join_in_by_timestamp_and_are_never_waited_for() -> None:
    """A queue for each origin, in its own order, gone when it is empty."""
    manual = Manual()
    manual.add("orders", 5, 6)
    manual.add("orders", 4, 6, origin=2)
    manual.add("orders", 6, origin=0)
    manual.add("bookings", 6)
    assert manual.take() == [
        ("orders", 4),
        ("orders", 5),
        ("orders", 6),
        ("orders", 6),
        ("orders", 6),
        ("bookings", 6),
    ]
    manual.add("orders", 7, first=2)
    assert manual.take() == [("orders", 7)]


@pytest.mark.parametrize("stamp", [-1, 0, (1 << 63) - 1])
def test_any_timestamp_that_kafka_takes_is_handed_out(stamp: int) -> None:
    """None, the epoch, the end of time."""
    manual = Manual()
    manual.add("orders", stamp)
    assert manual.take() == [("orders", stamp)]


QUEUES = [("orders", -1), ("bookings", -1), ("orders", 3), ("bookings", 0)]


@given(
    st.lists(
        st.tuples(st.sampled_from(QUEUES), st.lists(st.integers(0, 9), min_size=1, max_size=4))
        | st.integers(0, 5),
        max_size=30,
    )
)
def test_whatever_comes_and_goes_each_record_is_handed_out_once(
    steps: list[tuple[tuple[str, int], list[int]] | int],
) -> None:
    """Every queue in its order; each taken one is the oldest head, of the first topic that has one
    as old; taking may stop anywhere.
    """
    manual = Manual()
    model: dict[tuple[str, int], list[int]] = {queue: [] for queue in QUEUES}
    counts = dict.fromkeys(QUEUES, 0)
    for step in [*steps, 1000]:
        if isinstance(step, tuple):
            (topic, origin), stamps = step
            manual.add(topic, *stamps, first=counts[topic, origin], origin=origin)
            counts[topic, origin] += len(stamps)
            model[topic, origin] += stamps
            continue
        for taken, (topic, each) in enumerate(manual.buffer.take(1000), 1):
            assert (each.timestamp, TOPICS.index(topic)) == min(
                (stamps[0], TOPICS.index(name)) for (name, _), stamps in model.items() if stamps
            )
            source = next(
                queue
                for queue, stamps in model.items()
                if queue[0] == topic and stamps and stamps[0] == each.timestamp
            )
            model[source].pop(0)
            if taken >= step:
                break
        assert len(manual.buffer) == sum(map(len, model.values()))
    assert not any(model.values())
