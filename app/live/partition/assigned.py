"""All partitions of one worker: a lane for each, from recovery to revocation."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final

from faust.types import TP

from app.core.rules.model import Rules
from app.formats.decode import ReadBySchema
from app.live.clock.machine_clock import MachineClock
from app.live.clock.partition_clock import RecordsClock
from app.live.clock.watermark import BEGINNING_OF_TIME_MS
from app.live.commit.committer import Committer
from app.live.customer_snapshot import CustomerSnapshot
from app.live.input.progress import InputProgress
from app.live.input.record_batch import RecordBatch
from app.live.partition.processor import MakeEngine, PartitionProcessor
from app.live.repartition.progress import RepartitionProgress
from app.live.telemetry.gauges import PartitionFigures
from app.live.telemetry.metrics import Metrics
from app.live.telemetry.tracing import UnitSpans
from app.settings.model import Settings
from app.settings.topics import REPARTITION
from tables.partition import PartitionStore

_log: Final = logging.getLogger(__name__)

OpenStore = Callable[[int], PartitionStore]
OnFailure = Callable[[BaseException], None]
#: The broker answers several times a second when it is well.
_SILENT_MS: Final = 5_000
_AGAIN_MS: Final = 30_000


class BrokerOutageLog:
    """Told how things stand about once a second."""

    def __init__(self) -> None:
        self._said_ms: int | None = None

    def look(self, now_ms: int, answered_ms: int) -> None:
        """``answered_ms`` is when the broker last answered, both by the same clock."""
        silent_ms = now_ms - answered_ms
        if silent_ms < _SILENT_MS:
            if self._said_ms is not None:
                _log.info("Kafka answers again", extra={"action": "broker_back"})
            self._said_ms = None
        elif self._said_ms is None or now_ms - self._said_ms >= _AGAIN_MS:
            self._said_ms = now_ms
            _log.warning(
                "Kafka does not answer: timers wait, nothing is lost, it goes on by itself",
                extra={"action": "broker_silent", "silent_s": silent_ms // 1000},
            )


class AssignedPartitions:
    """Takes batches from the agents and timer passes from the punctuator; lanes do the work.

    A batch is taken when it is buffered, not when it is handled: the lane commits it when it is
    done. Whatever goes wrong in a lane goes to ``on_failure``, and the worker stops.
    """

    def __init__(
        self,
        settings: Settings,
        intake: InputProgress,
        effects: Committer,
        metrics: Metrics,
        make_task: MakeEngine,
        rules: Rules,
        shadow_rules: Rules | None,
        input_partitions: int,
        on_failure: OnFailure,
        wall: MachineClock,
        read_by_schema: ReadBySchema | None = None,
        spans: UnitSpans | None = None,
    ) -> None:
        self.settings = settings
        self.intake = intake
        self.effects = effects
        self.metrics = metrics
        self.make_task = make_task
        self.rules = rules
        self.shadow_rules = shadow_rules
        self.input_partitions = input_partitions
        self.read_by_schema = read_by_schema
        self.spans = spans
        self.upstream = RepartitionProgress()
        self.wall = wall
        self._silence = BrokerOutageLog()
        self._on_failure = on_failure
        self._lanes: dict[int, tuple[PartitionProcessor, asyncio.Task[None]]] = {}
        intake.on_revoked = self.release

    @property
    def partitions(self) -> set[int]:
        """Which partition numbers are worked on."""
        return set(self._lanes)

    def standing(self, partition: int, customer_id: str) -> CustomerSnapshot | None:
        """The customer as the partition's last unit left them; None when it is not worked on."""
        found = self._lanes.get(partition)
        return None if found is None else found[0].standing(customer_id)

    def figures(self) -> list[PartitionFigures]:
        """How every partition stands that is worked on."""
        return [lane.figures() for lane, _ in self._lanes.values()]

    def assign(self, partitions: Iterable[int], open_store: OpenStore) -> None:
        """Work on these partitions from now on; their state is recovered."""
        for number in sorted(partitions):
            if number in self._lanes:
                continue
            self.upstream.say(number, BEGINNING_OF_TIME_MS)
            lane = PartitionProcessor(number, open_store(number), self)
            task = asyncio.get_running_loop().create_task(lane.run(), name=f"lane-{number}")
            task.add_done_callback(self._lane_done)
            self._lanes[number] = lane, task
        _log.info(
            "partitions assigned",
            extra={"action": "assigned", "partitions": sorted(self._lanes)},
        )

    def use_rules(self, rules: Rules) -> None:
        """Decide by these in every partition, from its next commit unit on."""
        self.rules = rules
        for lane, _ in self._lanes.values():
            lane.use_rules(rules)

    async def release(self, partitions: Iterable[int]) -> None:
        """Finish the units in progress on these partitions and work on them no more."""
        going = [self._lanes.pop(number) for number in set(partitions) & self._lanes.keys()]
        for lane, _ in going:
            lane.end()
        if going:
            await asyncio.wait([task for _, task in going])
        for lane, _ in going:
            self.upstream.forget(lane.partition)

    async def release_all(self) -> None:
        """Finish everything that is in progress."""
        await self.release(list(self._lanes))

    def take(self, tp: TP, records: RecordBatch) -> None:
        """Buffer a batch for the lane of its partition; without one it is read again later.

        Raises InfrastructureError when the batch before it never came.
        """
        self.intake.arrived(tp, len(records))
        lane = self._lanes.get(tp.partition)
        if lane is None:
            self.intake.dropped(tp, len(records))
            return
        topic = self.intake.logical[tp.topic]
        lane[0].count(topic, records)
        self.wall.witness(records[-1].timestamp)
        if self.settings.clock == "records" and topic != REPARTITION:
            newest_ms = max(record.timestamp for record in records)
            self.intake.newest_ms = max(self.intake.newest_ms, newest_ms)
        lane[0].add(topic, records)

    def pass_timers(self) -> None:
        """Let every lane look at its timers.

        With the records' clock time stands still without records; so once all input has been at
        its end and quiet for ``max_idle``, it moves to the newest record of any partition.
        """
        lanes = [lane for lane, _ in self._lanes.values()]
        answered_ms = self.intake.answered_ms() if lanes else None
        if answered_ms is not None:
            self._silence.look(self.wall.now_ms(), answered_ms)
        if self.settings.clock == "records" and self.intake.newest_ms and self._is_quiet(lanes):
            for lane in lanes:
                if isinstance(lane.clock, RecordsClock):
                    lane.clock.advance(self.intake.newest_ms)
        for lane in lanes:
            lane.wake()

    def _is_quiet(self, lanes: list[PartitionProcessor]) -> bool:
        quiet_since = time.monotonic() - self.settings.max_idle_ms / 1000
        return all(lane.is_idle() and lane.busy_at <= quiet_since for lane in lanes)

    def _lane_done(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_failure(error)
