"""What Kafka lost behind the engine's back: input, topics, the changelog."""

import asyncio
from collections.abc import Iterable

import pytest

from app.core.errors import InfrastructureError
from app.kafka.types import TopicPartition
from app.live.input.lost_data import LostDataCheck, Offsets, deleted_unread
from app.settings.load import load_settings

ORDERS, BOOKINGS = TopicPartition("orders", 0), TopicPartition("bookings", 0)
CHANGELOG = TopicPartition("triggers-customers-changelog", 0)


class Kafka:
    """The offsets of a cluster, by hand."""

    def __init__(self, starts: Offsets, ends: Offsets, committed: Offsets | None = None) -> None:
        self._starts, self._ends, self._committed = starts, ends, committed or {}
        #: ends that a new leader says before it knows better
        self.early_ends: list[Offsets] = []

    async def starts(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self._starts.get(tp, 0) for tp in tps}

    async def ends(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        ends = self.early_ends.pop(0) if self.early_ends else self._ends
        return {tp: ends[tp] for tp in tps}

    async def committed(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self._committed[tp] for tp in tps if tp in self._committed}


class State:
    """A database that has a partition up to ``kept``."""

    def __init__(self, kept: int | None) -> None:
        self._kept = kept
        self.discarded: list[int] = []

    def persisted_offset(self, tp: TopicPartition) -> int | None:
        return self._kept

    def discard(self, number: int) -> None:
        self.discarded.append(number)


class Lost:
    """A check that counts what it is told of lost input."""

    def __init__(self, kafka: Kafka, on_lost_data: str = "stop") -> None:
        self.counted: list[tuple[str, int]] = []
        self.check = LostDataCheck(
            load_settings({"TRIGGER_ON_LOST_DATA": on_lost_data}),
            kafka,
            lambda topic, count: self.counted.append((topic, count)),
            look_s=0.0,
        )


def test_input_deleted_by_retention_is_counted_and_work_goes_on() -> None:
    """Sixty records of one topic; the other lost none."""
    lost = Lost(Kafka({ORDERS: 100, BOOKINGS: 5}, {ORDERS: 100, BOOKINGS: 9}))

    asyncio.run(lost.check.check_inputs({ORDERS: 40, BOOKINGS: 5}))

    assert lost.counted == [("orders", 60)]
    assert deleted_unread({ORDERS: 40}, {ORDERS: 40}) == {}


def test_an_input_topic_made_again_is_not_waited_for() -> None:
    """It ends before what was committed: the worker says so, or goes on when told to."""
    kafka = Kafka({}, {ORDERS: 3})
    with pytest.raises(InfrastructureError, match=r"orders\[0\] ends at 3, it was read up to 5000"):
        asyncio.run(Lost(kafka).check.check_inputs({ORDERS: 5000}))

    asyncio.run(Lost(kafka, "continue").check.check_inputs({ORDERS: 5000}))


def test_a_new_leader_that_does_not_know_the_end_yet_stops_no_worker() -> None:
    """What it says later is believed."""
    kafka = Kafka({}, {ORDERS: 10})
    kafka.early_ends = [{ORDERS: 7}, {ORDERS: 9}]

    asyncio.run(Lost(kafka).check.check_inputs({ORDERS: 10}))


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [(500, 500, None), (0, 0, None), (0, 0, 499), (0, 20, 499), (300, 500, 100), (300, 500, None)],
)
def test_state_that_is_gone_stops_the_worker_unless_it_is_on_purpose(
    start: int, end: int, kept: int | None
) -> None:
    """Emptied, made again, or shortened while this worker was away."""
    kafka = Kafka({CHANGELOG: start}, {CHANGELOG: end}, {ORDERS: 60})
    state = State(kept)
    with pytest.raises(InfrastructureError, match="TRIGGER_ON_LOST_DATA=continue"):
        asyncio.run(Lost(kafka).check.check_state([CHANGELOG], state))
    assert state.discarded == []

    asyncio.run(Lost(kafka, "continue").check.check_state([CHANGELOG], state))
    assert state.discarded == [0]


@pytest.mark.parametrize(
    ("start", "end", "kept", "committed"),
    [
        (0, 0, None, 0),
        (0, 500, None, 60),
        (0, 500, 499, 60),
        (0, 500, 100, 60),
        (500, 500, 499, 60),
    ],
)
def test_state_that_is_there_is_nothing_to_worry_about(
    start: int, end: int, kept: int | None, committed: int
) -> None:
    """A first start, a recovery, a return; emptied with a whole database left."""
    kafka = Kafka({CHANGELOG: start}, {CHANGELOG: end}, {ORDERS: committed})
    state = State(kept)
    asyncio.run(Lost(kafka).check.check_state([CHANGELOG], state))
    assert state.discarded == []
