"""Commit units in transactions: which go together, and what a failure does to the others."""

import asyncio

import pytest
from confluent_kafka import KafkaError, KafkaException

from app.core.errors import InfrastructureError
from app.kafka.types import TopicPartition
from app.live.commit import transactions
from app.live.commit.transactions import TransactionCoordinator, TransactionPart
from app.live.input.consumer_group import NO_MEMBER, GroupMembership
from tests.unit.live.commit.recording_broker import Broker, RecordingTransactions

FIRST = GroupMembership(1, "member")
SECOND = GroupMembership(2, "member")


class Coordinated:
    """A coordinator over a broker by hand, and how its transactions ended."""

    def __init__(self) -> None:
        self.broker = Broker()
        self.producer = RecordingTransactions(self.broker)
        self.ends: list[str] = []
        self.coordinator = TransactionCoordinator(
            self.producer,
            "triggers",
            10_000,
            lambda outcome, _: self.ends.append(outcome),
            instance_id="triggers-0",
        )

    def commit(self, *parts: TransactionPart) -> list[BaseException | None]:
        """Commit parts that are ready at once."""

        async def commit() -> list[BaseException | None]:
            made = [self.coordinator.commit(part) for part in parts]
            return await asyncio.gather(*made, return_exceptions=True)

        return asyncio.run(commit())


def part(number: int, membership: GroupMembership = FIRST) -> TransactionPart:
    """The unit of a partition: one record, and the position after it."""
    made = TransactionPart(membership, {TopicPartition(f"orders-{number}", number): 1})
    made.add("dispatch", 0, [{"key": b"ann", "value": b"%d" % number}])
    return made


def test_units_that_are_ready_together_share_a_transaction() -> None:
    """With all their records, in order, and all their offsets."""
    coordinated = Coordinated()
    assert coordinated.commit(part(1), part(2), part(3)) == [None, None, None]
    assert coordinated.ends == ["committed"]
    assert [record.value for record in coordinated.broker.of("dispatch")] == [b"1", b"2", b"3"]
    assert coordinated.broker.committed == {f"orders-{n}/{n}": 1 for n in (1, 2, 3)}


def test_units_of_two_assignments_do_not_share_one() -> None:
    """The broker checks one membership a transaction."""
    coordinated = Coordinated()
    coordinated.commit(part(1), part(2, SECOND))
    assert coordinated.ends == ["committed", "committed"]


def test_a_transaction_takes_no_more_units_than_the_producer_has_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others go into the next one."""
    monkeypatch.setattr(transactions, "_RECORDS", 1)
    coordinated = Coordinated()
    coordinated.commit(part(1), part(2), part(3))
    assert coordinated.ends == ["committed", "committed"]


def test_a_failure_fails_all_that_wait_and_all_that_come() -> None:
    """The worker must end: its memory may be ahead of Kafka."""
    coordinated = Coordinated()
    coordinated.producer.fence = KafkaException(KafkaError(KafkaError.PRODUCER_FENCED))
    failures = coordinated.commit(part(1), part(2, SECOND))
    coordinated.producer.fence = None
    failures += coordinated.commit(part(3))
    assert all(isinstance(failure, InfrastructureError) for failure in failures)
    assert "TRIGGER_INSTANCE_ID triggers-0" in str(failures[0])
    assert coordinated.ends == ["fenced"]
    assert (coordinated.broker.log, coordinated.producer.aborted) == ([], 1)


def test_a_worker_that_is_no_member_begins_no_transaction() -> None:
    """It would pass the broker unfenced."""
    coordinated = Coordinated()
    (failure,) = coordinated.commit(part(1, NO_MEMBER))
    assert isinstance(failure, InfrastructureError)
    assert coordinated.ends == ["fenced"]
    assert coordinated.producer.aborted == 0


def test_a_client_that_does_not_come_back_is_reported_as_stuck(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process can only end by being cut short."""
    coordinated = Coordinated()
    monkeypatch.setattr(coordinated.coordinator, "_timeout_s", 0.0)
    (failure,) = coordinated.commit(part(1))
    assert "does not come back" in str(failure)
    assert coordinated.coordinator.is_stuck
    assert coordinated.ends == ["failed"]
