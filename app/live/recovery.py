"""Begins the work on partitions whose state was recovered, once nothing is missing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from faust.tables.recovery import ServiceStopped

from app.core.errors import InfrastructureError
from app.kafka.types import TopicPartition
from app.live.faust_app import WorkerApp
from app.live.input.broker_offsets import BrokerOffsets
from app.live.input.consumer_group import GroupMembership
from app.live.input.lost_data import LostDataCheck
from app.live.input.progress import InputProgress
from app.live.memory import give_memory_back, keep_memory
from app.live.partition.assigned import AssignedPartitions
from app.live.telemetry.metrics import Metrics
from app.settings.model import Settings


class Recovery:
    """Checks inputs and changelogs for lost data, then assigns the recovered partitions.

    ``connect`` registers its methods with the customers table's store; from then on they are called
    in the worker's main loop. What they find wrong goes to ``on_failure``.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        progress: InputProgress,
        offsets: BrokerOffsets,
        metrics: Metrics,
        assigned: AssignedPartitions,
        app: WorkerApp,
        on_failure: Callable[[BaseException], None],
        is_exactly_once: bool,
    ) -> None:
        self._settings: Final = settings
        self._progress: Final = progress
        self._offsets: Final = offsets
        self._metrics: Final = metrics
        self._assigned: Final = assigned
        self._app: Final = app
        self._on_failure: Final = on_failure
        self._is_exactly_once: Final = is_exactly_once
        self._wait: Final = app.tables.recovery._wait
        self._lost_data: Final = LostDataCheck(settings, offsets, self._count_lost)

    def connect(self) -> None:
        """Let the store report to this object. Called once, before the app is started."""
        store = self._app.store
        store.on_failure = self._on_failure
        store.on_applied = self._count_applied
        store.on_recovered = self._recovered
        store.on_ends_known = self._check_changelogs
        self._assigned.on_position_lost = self._position_lost
        self._metrics.standby_lag.set_function(self._app.standby_lag)
        self._app.tables.recovery._wait = self._wait_or_stop

    async def _recovered(self, partitions: set[int]) -> None:
        """Work on these partitions, once it is certain from which offsets."""
        give_memory_back()
        membership = self._progress.membership
        committed = await self._offsets.committed(
            TopicPartition(topic, number)
            for topic in self._settings.read_topics.values()
            for number in sorted(partitions)
        )
        if self._is_outdated(membership):
            return  # the group is rebalancing again, and what comes of it is recovered again
        await self._lost_data.check_inputs(committed)
        await self._lost_data.check_ends(self._read_by_state(partitions, committed))
        if self._is_outdated(membership):
            return
        if self._is_exactly_once:
            self._progress.positions.resumed(committed)
        self._assigned.assign(partitions, self._app.store.partition)

    def _is_outdated(self, membership: GroupMembership) -> bool:
        return self._progress.membership != membership or self._app.is_rebalancing()

    def _read_by_state(
        self, partitions: set[int], committed: dict[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        """Up to where input was read that the group has no offset of: Kafka forgets the offsets of
        a topic that is deleted.
        """
        found: dict[TopicPartition, int] = {}
        for number in partitions:
            missing = {
                logical: TopicPartition(topic, number)
                for logical, topic in self._settings.input_topics.items()
                if TopicPartition(topic, number) not in committed
            }
            applied = self._app.store.applied(number) if missing else {}
            found |= {
                tp: applied[logical] + 1 for logical, tp in missing.items() if logical in applied
            }
        return found

    async def _position_lost(self, tp: TopicPartition, offset: int) -> None:
        await self._or_stop(self._lost_data.check_inputs({tp: offset}))

    async def _check_changelogs(self, ends: dict[TopicPartition, int]) -> None:
        active = ends.keys() & self._app.assignor.assigned_actives()
        await self._or_stop(self._lost_data.check_state(active, self._app.store))
        known = self._app.tables.recovery.active_offsets
        for tp in active:
            if self._app.store.persisted_offset(tp) is None:
                # an empty database, or one thrown away of which Faust has noted how far it was;
                # without an entry Faust takes record 0 for applied
                known[tp] = -1
        if active:
            keep_memory()

    async def _wait_or_stop(self, awaited: Any, timeout: float | None = None) -> None:
        """Faust's wait during a recovery. One that takes longer than ``timeout`` Faust takes for
        its own stop: it would rebuild no state any more, and the worker would stand still.
        """
        recovery = self._app.tables.recovery
        try:
            await self._wait(awaited, timeout)
        except ServiceStopped:
            if not recovery.should_stop:
                self._on_failure(
                    InfrastructureError(
                        f"Kafka gave no answer within {timeout} s while state was rebuilt; start"
                        f" the worker again once {self._settings.bootstrap_servers} answers"
                    )
                )
            raise

    async def _or_stop(self, check: Awaitable[None]) -> None:
        try:
            await check
        except InfrastructureError as exc:
            self._on_failure(exc)
            # the worker stops; an error raised here would be logged by Faust a second time
            await asyncio.Event().wait()

    def _count_lost(self, topic: str, records: int) -> None:
        self._metrics.input_lost.labels(self._progress.logical[topic]).inc(records)

    def _count_applied(self, records: int, is_active: bool) -> None:
        role = "active" if is_active else "standby"
        self._metrics.changelog_applied.labels(role).inc(records)
