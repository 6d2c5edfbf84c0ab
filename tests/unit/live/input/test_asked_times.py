"""What is known as of when, by answers that take their time and come in any order."""

from app.kafka.types import TopicPartition
from app.live.input.asked_times import AskedTimes

ORDERS, PROFILES = TopicPartition("orders", 0), TopicPartition("profiles", 0)


class Manual:
    """A clock by hand; brokers answer when told."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.times = AskedTimes(lambda: self.now_s)

    def answer(
        self, node: int, asked_s: float, tp: TopicPartition, stamp_ms: int, *, records: bool = False
    ) -> None:
        self.times.answered(node, asked_s, {tp: stamp_ms}, has_records=records)


def test_an_answer_tells_of_the_instant_at_which_it_was_asked_for() -> None:
    manual = Manual()
    manual.answer(1, 99.7495, ORDERS, 5_000)
    assert manual.times.waited_ms(ORDERS, 5_000) == 251
    assert manual.times.waited_ms(ORDERS, 4_999) is None
    assert manual.times.waited_ms(PROFILES, 5_000) is None


def test_a_partition_that_an_answer_leaves_out_keeps_its_time() -> None:
    """Its timestamp is that of the answer before."""
    manual = Manual()
    manual.answer(1, 99.75, ORDERS, 5_000)
    manual.now_s = 101.0
    manual.answer(1, 100.99, ORDERS, 5_000)
    assert manual.times.waited_ms(ORDERS, 5_000) == 250


def test_after_records_the_next_answer_of_each_broker_is_awaited() -> None:
    """One that was asked before they came may not know what was there by then."""
    manual = Manual()
    manual.answer(1, 99.9, ORDERS, 1)
    manual.answer(2, 99.9, PROFILES, 1)
    assert not manual.times.are_ends_awaited()
    manual.answer(1, 99.95, ORDERS, 2, records=True)
    assert manual.times.are_ends_awaited()
    manual.answer(1, 100.0, ORDERS, 3)
    assert manual.times.are_ends_awaited()
    manual.answer(2, 99.99, PROFILES, 2)
    assert manual.times.are_ends_awaited()
    manual.answer(2, 100.0, PROFILES, 3)
    assert not manual.times.are_ends_awaited()


def test_a_broker_that_does_not_answer_is_not_awaited_for_long() -> None:
    """Nor is one that leads nothing any more."""
    manual = Manual()
    manual.answer(1, 99.9, PROFILES, 1)
    manual.answer(2, 99.9, ORDERS, 2, records=True)
    assert manual.times.are_ends_awaited()
    manual.now_s += 1.1
    assert not manual.times.are_ends_awaited()
    manual.now_s += 10.0
    manual.answer(2, manual.now_s - 0.1, ORDERS, 3, records=True)
    manual.answer(2, manual.now_s, ORDERS, 4)
    assert not manual.times.are_ends_awaited()
