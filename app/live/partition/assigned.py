"""The set of assigned partitions of a worker: a processor for each, from recovery to revocation."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from app.core.customer.codec import WithProfile
from app.core.errors import InfrastructureError
from app.core.rules.model import Rules
from app.kafka.types import TopicPartition
from app.live.customer_snapshot import CustomerSnapshot
from app.live.input.record_batch import RecordBatch
from app.live.partition.broker_outage import BrokerOutageLog
from app.live.partition.context import PartitionContext
from app.live.partition.processor import PartitionProcessor
from app.live.partition.rehearsal import ReadNewest, RehearsalEnd
from app.live.telemetry.gauges import PartitionFigures
from tables.partition import PartitionStore

_log: Final = logging.getLogger(__name__)

OpenStore = Callable[[int], PartitionStore]
OnFailure = Callable[[BaseException], None]
#: looks into an input partition that no longer has the offset that was to be read next
OnPositionLost = Callable[[TopicPartition, int], Awaitable[None]]


class AssignedPartitions:
    """Takes record batches from the agents and timer passes from the punctuator.

    A batch is taken when it is buffered, not when it is handled: the partition's processor commits
    it when it is done. What a processor raises goes to ``on_failure``, and the worker stops.
    Implements ``RebalanceListener``. Used from the worker's main loop.
    """

    def __init__(
        self,
        context: PartitionContext,
        rules: Rules,
        on_failure: OnFailure,
        read_newest: ReadNewest = lambda: None,
    ) -> None:
        """``read_newest`` says where a rehearsal ends."""
        self._context = context
        self._rules = rules
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._outage_log = BrokerOutageLog()
        self.on_position_lost: OnPositionLost = _ignore_position
        self._processors: dict[int, tuple[PartitionProcessor, asyncio.Task[None]]] = {}
        #: the partitions of processors that are at their last unit
        self._ending: dict[asyncio.Task[None], int] = {}
        self._is_stopping = False
        self._rehearsal_end = (
            RehearsalEnd(read_newest, context.machine_clock, context.settings.max_idle_ms)
            if context.settings.clock == "records"
            else None
        )

    @property
    def rules(self) -> Rules:
        """What is decided by."""
        return self._rules

    @property
    def partitions(self) -> set[int]:
        """The partitions that are worked on."""
        return set(self._processors)

    def snapshot(self, partition: int, customer_id: str) -> CustomerSnapshot | None:
        """The customer as the partition's last unit left them; None when it is not worked on."""
        found = self._processors.get(partition)
        return None if found is None else found[0].snapshot(customer_id)

    def profiles_after(
        self, partition: int, customer_id: str, limit: int
    ) -> tuple[list[WithProfile], str | None] | None:
        """Some customers of the partition, as its processor gives them; None when it is not worked
        on.
        """
        found = self._processors.get(partition)
        return None if found is None else found[0].profiles_after(customer_id, limit)

    def figures(self) -> list[PartitionFigures]:
        """How every partition stands that is worked on."""
        return [processor.figures() for processor, _ in self._processors.values()]

    def assign(self, partitions: Iterable[int], open_store: OpenStore) -> None:
        """Work on these partitions from now on; their state is recovered. Nothing after
        ``release_all``.
        """
        if self._is_stopping:
            return
        for number in sorted(partitions):
            if number in self._processors:
                continue
            self._context.repartition.report(number)
            processor = PartitionProcessor(number, open_store(number), self._context, self._rules)
            task = self._loop.create_task(processor.run(), name=f"partition-{number}")
            task.add_done_callback(self._processor_done)
            self._processors[number] = processor, task
        _log.info(
            "partitions assigned",
            extra={"action": "assigned", "partitions": sorted(self._processors)},
        )

    def use_rules(self, rules: Rules) -> None:
        """Decide by these in every partition, from its next commit unit on."""
        self._rules = rules
        for processor, _ in self._processors.values():
            processor.use_rules(rules)

    async def release(self, partitions: Iterable[int]) -> None:
        """Finish the units in progress on these partitions, also those that an earlier call has
        begun to finish, and work on them no more.
        """
        numbers = set(partitions)
        for number in numbers & self._processors.keys():
            processor, task = self._processors.pop(number)
            processor.end()
            self._ending[task] = number
        ending = {task: number for task, number in self._ending.items() if number in numbers}
        if ending:
            await asyncio.wait(ending)
        for task, number in ending.items():
            if self._ending.pop(task, None) is not None:
                self._context.repartition.forget(number)

    async def release_all(self) -> None:
        """Finish everything that is in progress; the worker stops."""
        self._is_stopping = True
        await self.release([*self._processors, *self._ending.values()])

    async def partitions_revoked(self, partitions: set[int]) -> None:
        await self.release(partitions)

    def ends_known(self) -> None:
        for processor, _ in self._processors.values():
            processor.ends_known()

    async def position_lost(self, tp: TopicPartition, offset: int) -> None:
        await self.on_position_lost(tp, offset)

    def commit_failed(self) -> None:
        self._context.metrics.commit_errors.inc()

    def group_lost(self, error: InfrastructureError) -> None:
        self._loop.call_soon_threadsafe(self._on_failure, error)

    def take(self, tp: TopicPartition, batch: RecordBatch) -> None:
        """Buffer a batch for the processor of its partition. Without one it is read again after the
        next assignment, and counts as not handled until then: the partition, whose processor may be
        at its last unit, is not read up to its end.

        Raises InfrastructureError when the batch before it never came.
        """
        context = self._context
        context.progress.buffered.arrived(tp, len(batch))
        found = self._processors.get(tp.partition)
        if found is None:
            return
        topic = context.progress.logical[tp.topic]
        context.machine_clock.observe_record(batch[-1].timestamp)
        found[0].add(topic, batch)

    def pass_timers(self) -> None:
        """Let every processor look at its timers; a rehearsal may be at its end."""
        context = self._context
        processors = [processor for processor, _ in self._processors.values()]
        answered_ms = context.progress.reading.answered_ms() if processors else None
        if answered_ms is not None:
            self._outage_log.look(context.machine_clock.now_ms(), answered_ms)
        if self._rehearsal_end is not None:
            self._rehearsal_end.look(processors)
        for processor in processors:
            processor.look_at_timers()

    def _processor_done(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_failure(error)


async def _ignore_position(_: TopicPartition, __: int) -> None:
    """The default callback: does nothing."""
