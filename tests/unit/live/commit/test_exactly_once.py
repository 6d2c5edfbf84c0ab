"""Exactly once: a crash before and after every numbered effect, in one process."""

import asyncio
import shutil
from collections import Counter
from pathlib import Path

import orjson
import pytest
from confluent_kafka import KafkaError, KafkaException

from app.core.errors import InfrastructureError
from app.live.commit import transactions
from app.live.commit.committer import Hook, ignore_hook
from app.live.commit.exactly_once import ExactlyOnce
from app.live.commit.transactions import TransactionCoordinator
from app.live.input.progress import InputProgress
from tests.unit.live.commit.one_partition import (
    INPUT,
    OUTPUTS,
    CrashAt,
    CrashError,
    counts,
    work,
)
from tests.unit.live.commit.recording_broker import Broker, RecordingTransactions
from tests.unit.live.commit.test_at_least_once import live as live_at_least_once

#: Those of the unit; and those of the transaction, which the coordinator goes through.
OF_UNIT = [f"{when} {effect}" for effect in (1, 7, 8) for when in ("before", "after")]
OF_TRANSACTION = [f"{when} {effect}" for effect in range(2, 7) for when in ("before", "after")]
ONCE = Counter(f"request-{offset}" for offset in range(len(INPUT)))


def live(
    folder: Path,
    broker: Broker,
    hook: Hook = ignore_hook,
    fence: KafkaException | None = None,
) -> RecordingTransactions:
    """One life of a worker that promises exactly once; it ends well, or crashes."""
    producer = RecordingTransactions(broker)
    producer.fence = fence

    def make(progress: InputProgress, hook: Hook) -> ExactlyOnce:
        coordinator = TransactionCoordinator(producer, "group", 10_000, lambda *_: None, hook)
        return ExactlyOnce(coordinator, progress, OUTPUTS, hook)

    try:
        asyncio.run(work(folder, broker, make, hook, commits=False))
    finally:
        producer.crash()
    return producer


def requests(broker: Broker) -> Counter[str]:
    return Counter(orjson.loads(each.value or b"")["request_id"] for each in broker.of("dispatch"))


@pytest.mark.parametrize("is_volume_lost", [False, True])
@pytest.mark.parametrize("passes", range(len(INPUT)))
@pytest.mark.parametrize("point", [*OF_UNIT, *OF_TRANSACTION])
def test_a_crash_at_any_effect_shows_every_request_once(
    tmp_path: Path, point: str, passes: int, is_volume_lost: bool
) -> None:
    """What a transaction held at the crash is seen by no read-committed reader."""
    broker, folder = Broker(), tmp_path / "state"

    with pytest.raises((CrashError, InfrastructureError)):
        live(folder, broker, CrashAt(point, passes))
    if is_volume_lost:
        shutil.rmtree(folder, ignore_errors=True)
    live(folder, broker)

    assert requests(broker) == ONCE
    assert counts(folder) == {"a": 2, "b": 1}
    assert broker.committed == {"orders": len(INPUT)}


def test_a_fenced_worker_aborts_and_says_that_another_has_taken_over(tmp_path: Path) -> None:
    """Nothing of it is visible, and its offsets do not move."""
    broker = Broker()
    fence = KafkaException(KafkaError(KafkaError.ILLEGAL_GENERATION))

    with pytest.raises(InfrastructureError, match="another worker has taken over"):
        live(tmp_path / "state", broker, fence=fence)

    assert (broker.log, broker.committed) == ([], {})


def test_outboxes_of_at_least_once_are_sent_when_the_guarantee_changes(tmp_path: Path) -> None:
    """A crash between the changelog and dispatch leaves a request in an outbox."""
    broker, folder = Broker(keeps_unacknowledged=False), tmp_path / "state"
    with pytest.raises(CrashError):
        live_at_least_once(folder, broker, CrashAt("before 4"))

    live(folder, broker)
    live(folder, broker)

    assert requests(broker) == ONCE
    assert counts(folder) == {"a": 2, "b": 1}


class ShakyTransactions(RecordingTransactions):
    """The broker goes in the first ``failures`` commits; it asks for an abort each time."""

    def __init__(self, broker: Broker, failures: int) -> None:
        super().__init__(broker)
        self._failures = failures

    def commit_transaction(self, timeout: float) -> None:
        if self._failures:
            self._failures -= 1
            error = KafkaError(KafkaError._TIMED_OUT, "gone", txn_requires_abort=True)
            raise KafkaException(error)
        super().commit_transaction(timeout)


def test_a_transaction_that_a_broker_took_with_it_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the same membership, and every request is there once."""
    monkeypatch.setattr(transactions, "_AGAIN_S", 0.0)
    broker, ends = Broker(), list[str]()
    producer = ShakyTransactions(broker, 2)

    def make(progress: InputProgress, hook: Hook) -> ExactlyOnce:
        coordinator = TransactionCoordinator(
            producer, "group", 10_000, lambda outcome, _: ends.append(outcome), hook
        )
        return ExactlyOnce(coordinator, progress, OUTPUTS, hook)

    asyncio.run(work(tmp_path / "state", broker, make, ignore_hook, commits=False))

    assert requests(broker) == ONCE
    assert ends[:3] == ["aborted", "aborted", "committed"]
    assert producer.aborted == 2
