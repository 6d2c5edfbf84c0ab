"""Buffered records, read progress and commit positions of input partitions."""

import asyncio

import pytest

from app.kafka.types import TopicPartition
from app.live.input.buffered_records import BUFFERED_BYTES, BufferedRecords
from app.live.input.commit_positions import CommitPositions
from app.live.input.consumer_group import NO_MEMBER, GroupMembership
from app.live.input.progress import InputProgress
from app.live.input.read_progress import ReadProgress, ReadState

ORDERS = TopicPartition("shop-orders", 0)
PROFILES = TopicPartition("shop-profiles", 0)
MEMBER = GroupMembership(3, "member")


def state(as_of_ms: int, position: int, end: int | None) -> ReadState:
    """The broker's answer to a reader that has got up to a position, after 200 ms."""
    is_at_end = end is not None and position >= end
    behind = 0 if end is None else end - position
    return ReadState(as_of_ms, is_at_end, behind, end, as_of_ms - 200)


def test_a_record_is_buffered_until_it_is_dropped() -> None:
    """It is in transit until it is with its processor; a partition that is full has no room."""
    buffered = BufferedRecords(capacity=3)
    buffered.fetched({ORDERS: 3})
    assert (buffered.waiting(ORDERS), buffered.in_transit(ORDERS)) == (3, 3)
    assert buffered.with_room([ORDERS, PROFILES]) == {PROFILES}

    buffered.arrived(ORDERS, 3)
    buffered.dropped(ORDERS, 1)

    assert (buffered.waiting(ORDERS), buffered.in_transit(ORDERS), buffered.total()) == (2, 0, 2)
    assert buffered.has_room(ORDERS)
    buffered.forget([ORDERS])
    assert buffered.total() == 0


def test_large_records_fill_a_buffer_that_has_room_for_more() -> None:
    """Of those that leave the mean is taken; an empty buffer always has room."""
    buffered = BufferedRecords(capacity=1_000)
    buffered.fetched({ORDERS: 8}, {ORDERS: 2 * BUFFERED_BYTES})
    assert not buffered.has_room(ORDERS)
    buffered.dropped(ORDERS, 4)
    assert not buffered.has_room(ORDERS)
    buffered.dropped(ORDERS, 1)
    assert buffered.has_room(ORDERS)
    buffered.fetched({ORDERS: 1}, {ORDERS: 2 * BUFFERED_BYTES})
    buffered.dropped(ORDERS, 4)
    assert buffered.has_room(ORDERS)


def test_waiting_for_room_ends_when_records_are_dropped() -> None:
    """And at its timeout, so that a rebalance is noticed."""

    async def wait() -> None:
        buffered = BufferedRecords(capacity=1)
        buffered.fetched({ORDERS: 1})
        waiting = asyncio.create_task(buffered.wait_for_room(3_600))
        await asyncio.sleep(0)
        buffered.dropped(ORDERS, 1)
        await waiting
        await buffered.wait_for_room(0.001)

    asyncio.run(wait())


def test_a_partition_is_complete_when_it_is_read_to_its_end_and_handled() -> None:
    """As of the broker's answer, not as of now."""
    buffered = BufferedRecords(capacity=10)
    reading = ReadProgress(buffered)
    assert reading.complete_as_of_ms(ORDERS) is None

    buffered.fetched({ORDERS: 2})
    reading.fetched({ORDERS: state(1_000, 2, 2)})
    assert reading.read_up_as_of_ms(ORDERS) is None
    buffered.arrived(ORDERS, 2)
    assert reading.read_up_as_of_ms(ORDERS) == 800
    assert reading.complete_as_of_ms(ORDERS) is None
    assert reading.lag_records(ORDERS) == 2

    buffered.dropped(ORDERS, 2)
    assert reading.complete_as_of_ms(ORDERS) == 1_000
    assert reading.lag_records(ORDERS) == 0


def test_an_end_that_is_not_known_is_not_reached() -> None:
    """A broker that does not answer stalls what waits for the end."""
    reading = ReadProgress(BufferedRecords(capacity=10))
    reading.fetched({ORDERS: state(1_000, 5, None)})
    assert reading.complete_as_of_ms(ORDERS) is None
    assert reading.read_through_ms(ORDERS) is None
    assert reading.answered_ms(ORDERS) == 1_000


def test_reading_through_advances_while_more_and_more_records_come() -> None:
    """Each end that was seen is reached when everything before it is handled."""
    buffered = BufferedRecords(capacity=1_000)
    reading = ReadProgress(buffered)
    buffered.fetched({ORDERS: 500})
    reading.fetched({ORDERS: state(1_000, 10, 100)})
    reading.fetched({ORDERS: state(2_000, 20, 200)})

    reading.handled(ORDERS, 99)
    assert reading.read_through_ms(ORDERS) is None
    reading.handled(ORDERS, 100)
    assert reading.read_through_ms(ORDERS) == 1_000
    reading.handled(ORDERS, 250)
    assert reading.read_through_ms(ORDERS) == 2_000
    assert reading.complete_as_of_ms(ORDERS) is None


def test_an_end_that_stays_is_reached_as_of_the_last_answer() -> None:
    """And ends that follow one another too closely are not all remembered."""
    buffered = BufferedRecords(capacity=1_000)
    reading = ReadProgress(buffered)
    buffered.fetched({ORDERS: 500})
    reading.fetched({ORDERS: state(1_000, 10, 100)})
    reading.fetched({ORDERS: state(1_050, 10, 110)})
    reading.fetched({ORDERS: state(3_000, 10, 100)})
    reading.handled(ORDERS, 100)
    assert reading.read_through_ms(ORDERS) == 3_000


def test_a_broker_that_is_not_asked_has_no_outage() -> None:
    """While records wait it may not have been asked, so there is no time of its last answer."""
    buffered = BufferedRecords(capacity=10)
    reading = ReadProgress(buffered)
    assert reading.answered_ms() is None
    reading.fetched({ORDERS: state(1_000, 2, 2), PROFILES: state(900, 2, 2)})
    assert reading.answered_ms() == 1_000
    buffered.fetched({ORDERS: 1})
    assert reading.answered_ms() is None


@pytest.mark.parametrize("is_consumer_committing", [True, False])
def test_positions_are_for_the_consumer_only_when_it_commits(is_consumer_committing: bool) -> None:
    """Otherwise transactions commit them."""
    positions = CommitPositions(is_consumer_committing=is_consumer_committing)
    positions.resumed({ORDERS: 4})
    positions.handled(ORDERS, 5)
    assert positions.of(ORDERS) == 5
    assert positions.for_consumer() == ({ORDERS: 5} if is_consumer_committing else {})
    positions.forget([ORDERS])
    assert positions.of(ORDERS) is None


def test_a_unit_that_is_done_moves_all_three() -> None:
    """Buffered records go, the position follows, and the end that it reaches is read through."""
    progress = InputProgress({"orders": "shop-orders", "profiles": "shop-profiles"}, capacity=10)
    progress.fetched({ORDERS: 2}, {ORDERS: state(1_000, 2, 2)})
    assert progress.is_input(ORDERS)
    assert not progress.is_input(TopicPartition("changelog", 0))

    progress.unit_done(0, {"orders": 2}, {"orders": 2})

    assert progress.buffered.waiting(ORDERS) == 0
    assert progress.positions.for_consumer() == {ORDERS: 2}
    assert progress.reading.read_through_ms(ORDERS) == 1_000


def test_a_rebalance_takes_the_membership_first_and_the_progress_when_units_ended() -> None:
    """What the units made durable meanwhile can still be committed."""
    progress = InputProgress({"orders": "shop-orders"}, capacity=10)
    progress.positions.joined(MEMBER)
    progress.fetched({ORDERS: 2}, {ORDERS: state(1_000, 2, 2)})
    progress.revoking()
    assert progress.membership == NO_MEMBER
    progress.unit_done(0, {"orders": 1}, {"orders": 1})
    progress.revoked([ORDERS, TopicPartition("changelog", 0)])
    assert progress.buffered.waiting(ORDERS) == 0
    assert progress.reading.answered_ms(ORDERS) is None
    assert progress.positions.for_consumer() == {ORDERS: 1}


def test_a_fence_commits_what_the_group_has_already() -> None:
    """The broker checks the membership with it; without an offset reading begins at 0 anyway."""
    progress = InputProgress({"orders": "shop-orders", "profiles": "shop-profiles"}, capacity=10)
    assert progress.fence(0) == {ORDERS: 0}
    progress.positions.resumed({ORDERS: 9})
    assert progress.fence(0) == {ORDERS: 9}


def test_the_end_behind_a_marker_is_reached_with_the_last_record() -> None:
    """Not while more is buffered than a unit takes, or is known to be on the broker."""
    buffered = BufferedRecords(capacity=10)
    reading = ReadProgress(buffered)
    assert reading.end_after(ORDERS, 0) is None
    buffered.fetched({ORDERS: 3})
    reading.fetched({ORDERS: state(1_000, 4, 5)})
    assert reading.end_after(ORDERS, 3) is None
    reading.fetched({ORDERS: state(1_200, 5, 5)})
    assert reading.end_after(ORDERS, 2) is None
    assert reading.end_after(ORDERS, 3) == 5
