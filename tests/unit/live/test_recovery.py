"""What begins once state was rebuilt, and what ends the worker instead."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from faust.tables.recovery import ServiceStopped

from app.core.errors import InfrastructureError
from app.kafka.types import TopicPartition
from app.live import recovery
from app.live.input.broker_offsets import BrokerOffsets
from app.live.input.consumer_group import GroupMembership
from app.live.input.progress import InputProgress
from app.live.partition.assigned import AssignedPartitions
from app.live.recovery import Recovery
from app.live.telemetry.metrics import Metrics
from app.settings.load import load_settings
from tests.unit.live.unstarted_app import unstarted_app


class Kafka:
    """A group without offsets on empty topics; ``meanwhile`` is called before it answers."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], object] = lambda: None

    async def committed(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        self.meanwhile()
        return {}

    async def starts(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 0)

    ends = starts


class Recovered:
    """The recovery of a real Faust app that has joined a group; notes what is begun with."""

    def __init__(self, folder: Path) -> None:
        settings = load_settings({"TRIGGER_DATA_DIR": str(folder)})
        progress = InputProgress(settings.read_topics, 10)
        progress.positions.joined(GroupMembership(1, "member"))
        self.kafka = Kafka()
        offsets = cast(BrokerOffsets, self.kafka)
        self.changelog = settings.changelog_topic
        self.begun: list[set[int]] = []
        self.failures: list[BaseException] = []
        self.app = unstarted_app(settings, progress, offsets, cast(Any, None))
        self.app.consumer.is_revoked = False
        self.recovery = self.app.tables.recovery
        Recovery(
            settings,
            progress=progress,
            offsets=offsets,
            metrics=Metrics(),
            assigned=cast(AssignedPartitions, self),
            app=self.app,
            on_failure=self.failures.append,
            is_exactly_once=False,
        ).connect()

    def assign(self, partitions: set[int], _: object) -> None:
        self.begun.append(partitions)

    async def complete(self) -> None:
        """What Faust calls when the changelogs were read."""
        await self.app.store.on_recovered({0})


def test_recovered_partitions_are_worked_on(tmp_path: Path) -> None:
    async def test() -> None:
        made = Recovered(tmp_path)
        await made.complete()
        assert made.begun == [{0}]

    asyncio.run(test())


def test_nothing_begins_when_the_next_rebalance_has_begun(tmp_path: Path) -> None:
    """The partitions may be others by then, and are recovered again."""

    async def test() -> None:
        made = Recovered(tmp_path)
        made.kafka.meanwhile = made.recovery.signal_recovery_start.set
        await made.complete()
        assert made.begun == []
        assert made.failures == []

    asyncio.run(test())


def test_a_wait_that_faust_gives_up_ends_the_worker(tmp_path: Path) -> None:
    """Faust takes it for its own stop, and would rebuild no state any more."""

    async def test() -> None:
        made = Recovered(tmp_path)
        with pytest.raises(ServiceStopped):
            await made.recovery._wait(asyncio.Event().wait(), timeout=0.01)
        (error,) = made.failures
        assert isinstance(error, InfrastructureError)
        assert "no answer within 0.01 s while state was rebuilt" in str(error)

    asyncio.run(test())


def test_a_stop_while_state_is_rebuilt_is_no_failure(tmp_path: Path) -> None:
    async def test() -> None:
        made = Recovered(tmp_path)
        made.recovery._stopped.set()
        with pytest.raises(ServiceStopped):
            await made.recovery._wait(asyncio.Event().wait(), timeout=30.0)
        assert made.failures == []

    asyncio.run(test())


def test_memory_is_kept_while_active_partitions_are_rebuilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for standbys, which are followed while others work."""
    told: list[str] = []
    for name in ("keep_memory", "give_memory_back"):
        monkeypatch.setattr(recovery, name, partial(told.append, name))

    async def test() -> None:
        made = Recovered(tmp_path)
        active, standby = (TopicPartition(made.changelog, number) for number in (0, 1))
        monkeypatch.setattr(made.app.assignor, "assigned_actives", lambda: {active})
        await made.app.store.on_ends_known({standby: 0})
        assert told == []
        await made.app.store.on_ends_known({active: 0})
        assert told == ["keep_memory"]
        await made.complete()
        assert told == ["keep_memory", "give_memory_back"]
        await made.app.store.on_stop()

    asyncio.run(test())
