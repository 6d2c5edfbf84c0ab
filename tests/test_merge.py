"""Merging the topics of one partition number by record timestamp."""

from typing import Any

from aiokafka.structs import ConsumerRecord

from app.merge import MergeBuffer

TOPICS = ("orders", "bookings")


class Manual:
    """A clock and what is known of the topics' ends, by hand."""

    def __init__(self, *, waits_for_ended: bool = False) -> None:
        self.now_s = 0.0
        self.read_up = {"orders", "bookings"}
        self.buffer = MergeBuffer(
            TOPICS,
            lambda topic: topic in self.read_up,
            1.0,
            waits_for_ended=waits_for_ended,
            monotonic=lambda: self.now_s,
        )

    def add(self, topic: str, *stamps: int, first: int = 0) -> int:
        return self.buffer.add(
            topic, [record(topic, first + at, stamp) for at, stamp in enumerate(stamps)]
        )

    def take(self, limit: int = 100) -> list[tuple[str, int]]:
        return [(topic, each.timestamp) for topic, each in self.buffer.take(limit)]


def record(topic: str, offset: int, timestamp: int) -> ConsumerRecord[Any, Any]:
    return ConsumerRecord(topic, 0, offset, timestamp, 0, None, None, None, -1, -1, ())


def test_records_come_by_timestamp_and_equal_ones_by_topic() -> None:
    """Two buffered topics are one stream; each keeps its own order."""
    manual = Manual()
    manual.add("bookings", 2, 3, 9)
    manual.add("orders", 1, 3, 2, 10)
    assert manual.take() == [
        ("orders", 1), ("bookings", 2), ("orders", 3), ("orders", 2),
        ("bookings", 3), ("bookings", 9), ("orders", 10),
    ]  # fmt: skip


def test_a_topic_not_read_up_is_waited_for_but_not_for_ever() -> None:
    """A record is held back until the other topic is known, or max_idle has passed."""
    manual = Manual()
    manual.read_up = {"orders"}
    manual.add("orders", 5)
    assert manual.take() == []
    assert manual.buffer.wait_s() == 1.0
    manual.now_s = 0.75
    assert manual.buffer.wait_s() == 0.25
    manual.add("bookings", 4)
    assert manual.take() == [("bookings", 4)]
    manual.now_s = 1.0
    assert manual.take() == [("orders", 5)]
    assert manual.buffer.wait_s() is None


def test_a_rehearsal_waits_for_topics_at_their_end_too() -> None:
    """Their publisher may still be writing."""
    manual = Manual(waits_for_ended=True)
    manual.add("orders", 5)
    assert manual.take() == []
    manual.add("bookings", 7)
    assert manual.take() == [("orders", 5)]
    manual.now_s = 2.0
    assert manual.take() == [("bookings", 7)]


def test_a_limit_leaves_the_rest_and_repeats_are_dropped() -> None:
    """A batch delivered again adds only what is new of it."""
    manual = Manual()
    assert manual.add("orders", 1, 2, 3) == 0
    assert manual.take(2) == [("orders", 1), ("orders", 2)]
    assert manual.add("orders", 2, 3, 4, first=1) == 2
    assert len(manual.buffer) == 2
    assert manual.take() == [("orders", 3), ("orders", 4)]
