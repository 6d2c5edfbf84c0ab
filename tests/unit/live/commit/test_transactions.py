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
    """A coordinator over a broker by hand, and how its transactions ended.

    ``again`` is the producer that takes the place of one that cannot go on; None: Kafka does not
    begin its transactions.
    """

    def __init__(self) -> None:
        self.broker = Broker()
        self.producer = RecordingTransactions(self.broker)
        self.again: RecordingTransactions | None = RecordingTransactions(self.broker)
        self.reopened = 0
        self.ends: list[str] = []
        self.coordinator = TransactionCoordinator(
            self.producer,
            "triggers",
            10_000,
            lambda outcome, _: self.ends.append(outcome),
            instance_id="triggers-0",
            reopen=self._reopen,
        )

    def _reopen(self) -> RecordingTransactions:
        self.reopened += 1
        if self.again is None:
            raise _error(KafkaError._TIMED_OUT)
        return self.again

    def commit(self, *parts: TransactionPart) -> list[BaseException | None]:
        """Commit parts that are ready at once."""

        async def commit() -> list[BaseException | None]:
            made = [self.coordinator.commit(part) for part in parts]
            return await asyncio.gather(*made, return_exceptions=True)

        return asyncio.run(commit())


def _error(code: int) -> KafkaException:
    return KafkaException(KafkaError(code))


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
    monkeypatch.setattr(coordinated.coordinator, "_patience_s", 0.0)
    (failure,) = coordinated.commit(part(1))
    assert "does not come back" in str(failure)
    assert coordinated.coordinator.is_stuck
    assert coordinated.ends == ["failed"]


def test_a_client_that_cannot_go_on_is_replaced() -> None:
    """The next producer of the id ends what the last one left open, so that all is made again."""
    coordinated = Coordinated()
    coordinated.producer.errors = {
        "flush": _error(KafkaError._MSG_TIMED_OUT),
        "abort_transaction": _error(KafkaError.INVALID_TXN_STATE),
    }
    assert coordinated.commit(part(1), part(2)) == [None, None]
    assert coordinated.ends == ["aborted", "committed"]
    assert [record.value for record in coordinated.broker.of("dispatch")] == [b"1", b"2"]
    assert coordinated.commit(part(3)) == [None]


def test_an_abort_that_fails_for_another_reason_leaves_no_unit_waiting() -> None:
    """A bug in the client, or here: the worker ends, and says of what."""
    coordinated = Coordinated()
    coordinated.producer.errors = {
        "flush": _error(KafkaError._MSG_TIMED_OUT),
        "abort_transaction": ZeroDivisionError("a bug"),
    }
    first, second = coordinated.commit(part(1), part(2, SECOND))
    assert isinstance(first, InfrastructureError)
    assert "a bug" in str(first)
    assert isinstance(second, InfrastructureError)
    assert coordinated.ends == ["failed"]


def test_what_may_be_committed_is_not_made_again() -> None:
    """The broker was asked to commit and nobody knows whether it did: the worker must end."""
    coordinated = Coordinated()
    coordinated.producer.errors = {
        "commit_transaction": _error(KafkaError.INVALID_TXN_STATE),
        "abort_transaction": _error(KafkaError.INVALID_TXN_STATE),
    }
    (failure,) = coordinated.commit(part(1))
    assert "Kafka does not say how it ended" in str(failure)
    assert (coordinated.ends, coordinated.reopened) == (["failed"], 0)


@pytest.mark.parametrize("error", ["flush", "abort_transaction"])
def test_another_workers_transactional_id_is_not_taken_back(error: str) -> None:
    """A transaction that is younger than the broker lets any be was ended by another worker."""
    coordinated = Coordinated()
    coordinated.producer.errors = {
        "flush": _error(KafkaError._MSG_TIMED_OUT),
        "abort_transaction": _error(KafkaError.INVALID_TXN_STATE),
        error: _error(KafkaError._FENCED),
    }
    (failure,) = coordinated.commit(part(1))
    assert isinstance(failure, InfrastructureError)
    assert coordinated.reopened == 0


def test_a_transaction_that_the_broker_ended_for_its_age_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The broker fences its own producer then; membership tells whether there is another worker."""
    coordinated = Coordinated()
    monkeypatch.setattr(transactions, "_SLACK_S", coordinated.coordinator._timeout_s)
    coordinated.producer.errors = {
        "flush": _error(KafkaError._MSG_TIMED_OUT),
        "abort_transaction": _error(KafkaError._FENCED),
    }
    assert coordinated.commit(part(1)) == [None]
    assert coordinated.ends == ["aborted", "committed"]


def test_a_broker_that_stays_away_ends_the_worker() -> None:
    """It says that it is not known how the transaction ended."""
    coordinated = Coordinated()
    coordinated.again = None
    coordinated.producer.errors = {
        "flush": _error(KafkaError._MSG_TIMED_OUT),
        "abort_transaction": _error(KafkaError.INVALID_TXN_STATE),
    }
    (failure,) = coordinated.commit(part(1))
    assert "start the worker again" in str(failure)
    assert (coordinated.ends, coordinated.reopened) == (["failed"], 1)
