"""At least once: a crash before and after every numbered effect, in one process."""

import asyncio
import shutil
from collections import Counter
from pathlib import Path

import orjson
import pytest

from app.core.errors import InfrastructureError
from app.live.commit.at_least_once import OUTBOX_BYTES, AtLeastOnce
from app.live.commit.committer import Hook, ignore_hook
from app.live.input.progress import InputProgress
from tests.unit.live.commit.one_partition import (
    INPUT,
    OUTPUTS,
    CrashAt,
    CrashError,
    counts,
    work,
)
from tests.unit.live.commit.recording_broker import Broker, RecordingProducer

POINTS = [f"{when} {effect}" for effect in range(1, 8) for when in ("before", "after")]


def live(
    folder: Path, broker: Broker, hook: Hook = ignore_hook, outbox_bytes: int = OUTBOX_BYTES
) -> None:
    """One life of a worker that promises at least once; it ends well, or crashes."""
    producer = RecordingProducer(broker)

    def make(progress: InputProgress, hook: Hook) -> AtLeastOnce:
        return AtLeastOnce(producer, progress, OUTPUTS, hook, outbox_bytes)

    try:
        asyncio.run(work(folder, broker, make, hook, commits=True))
    finally:
        producer.crash()


def requests(broker: Broker) -> Counter[str]:
    return Counter(orjson.loads(each.value or b"")["request_id"] for each in broker.of("dispatch"))


@pytest.mark.parametrize("is_volume_lost", [False, True])
@pytest.mark.parametrize("keeps_unacknowledged", [False, True])
@pytest.mark.parametrize("passes", range(len(INPUT)))
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_any_effect_loses_no_request_and_counts_no_event_twice(
    tmp_path: Path, point: str, passes: int, keeps_unacknowledged: bool, is_volume_lost: bool
) -> None:
    """Records under way have reached the broker or not, and the disk is kept or not."""
    broker, folder = Broker(keeps_unacknowledged), tmp_path / "state"

    with pytest.raises(CrashError):
        live(folder, broker, CrashAt(point, passes))
    if is_volume_lost:
        shutil.rmtree(folder)
    live(folder, broker)

    assert requests(broker).keys() == {f"request-{offset}" for offset in range(len(INPUT))}
    assert counts(folder) == {"a": 2, "b": 1}
    assert broker.committed == {"orders": len(INPUT)}


@pytest.mark.parametrize("point", ["before 1", "after 1", "before 2", "after 7"])
def test_a_crash_outside_of_the_writes_repeats_no_request(tmp_path: Path, point: str) -> None:
    """Before the changelog has anything, and after the input is released."""
    broker, folder = Broker(keeps_unacknowledged=False), tmp_path / "state"

    with pytest.raises(CrashError):
        live(folder, broker, CrashAt(point, 1))
    live(folder, broker)

    assert set(requests(broker).values()) == {1}


def test_a_worker_that_comes_back_after_a_good_end_sends_nothing_again(tmp_path: Path) -> None:
    """The marker at the end says that all outboxes are on Kafka, also without the disk."""
    broker = Broker()
    live(tmp_path / "one", broker)
    before = len(broker.log)

    live(tmp_path / "two", broker)

    assert requests(broker) == Counter(f"request-{offset}" for offset in range(len(INPUT)))
    assert len(broker.log) == before


@pytest.mark.parametrize("point", ["before 2", "after 3", "after 7"])
def test_what_an_outbox_has_no_room_for_is_not_lost(tmp_path: Path, point: str) -> None:
    """It is on Kafka before the changelog, whose records stay of a size that Kafka takes."""
    broker, folder = Broker(keeps_unacknowledged=False), tmp_path / "state"

    with pytest.raises(CrashError):
        live(folder, broker, CrashAt(point, 1), outbox_bytes=100)
    assert requests(broker).keys() >= {"request-0", "request-1"}
    live(folder, broker, outbox_bytes=100)

    assert requests(broker).keys() == {f"request-{offset}" for offset in range(len(INPUT))}
    assert counts(folder) == {"a": 2, "b": 1}
    assert all(len(each.value or b"") < 400 for each in broker.of("changelog"))


@pytest.mark.parametrize("topic", ["changelog", "dispatch"])
def test_a_refused_record_releases_nothing_for_commit(tmp_path: Path, topic: str) -> None:
    """The unit fails, and its input is read again."""
    broker = Broker()
    producer = RecordingProducer(broker)
    producer.refused = {topic}

    def make(progress: InputProgress, hook: Hook) -> AtLeastOnce:
        return AtLeastOnce(producer, progress, OUTPUTS, hook)

    with pytest.raises(InfrastructureError, match="did not take a record"):
        asyncio.run(work(tmp_path / "state", broker, make, ignore_hook, commits=True))

    assert broker.committed == {}
    live(tmp_path / "state", broker)
    assert requests(broker).keys() == {f"request-{offset}" for offset in range(len(INPUT))}
