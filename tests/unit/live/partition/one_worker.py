"""A worker in one process: real processors, committer and databases, input by hand.

Time is a number that the test moves; the transport is a loop that hands over what is published.
"""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson

from app.core.customer.record import Customer
from app.core.rules.model import Rules
from app.kafka.partitioning import partition_for
from app.kafka.types import RestoredRecord, TopicPartition
from app.live.clock.machine_clock import MachineClock
from app.live.commit.at_least_once import AtLeastOnce
from app.live.commit.committer import Committer, Hook, ignore_hook
from app.live.commit.exactly_once import ExactlyOnce
from app.live.commit.transactions import TransactionCoordinator
from app.live.input.consumer_group import GroupMembership
from app.live.input.progress import InputProgress
from app.live.input.read_progress import ReadState
from app.live.input.record_batch import RecordBatch
from app.live.partition.assigned import AssignedPartitions
from app.live.partition.context import Pace, PartitionContext
from app.live.telemetry.gauges import PartitionFigures
from app.live.telemetry.metrics import Metrics
from app.settings.model import Settings
from app.settings.topics import REPARTITION
from tables.customers import PartitionCustomers
from tables.partition import PartitionStore
from tests.unit.live.commit.one_partition import CHANGELOG, OUTPUTS, Entry
from tests.unit.live.commit.recording_broker import (
    Broker,
    RecordingProducer,
    RecordingTransactions,
    group_key,
)

SETTINGS: Final = Settings()
#: How many loops of the transport a life may take.
_MOST_LOOPS: Final = 200_000


class World:
    """What outlives a worker: the input, the broker, the disk and the time."""

    def __init__(self, folder: Path, now_ms: int, partitions: int = 1) -> None:
        self.folder = folder
        self.broker = Broker()
        self.now_ms = now_ms
        self.partitions = partitions
        #: by topic and partition
        self.input: dict[tuple[str, int], list[RestoredRecord]] = defaultdict(list)
        #: how many markers of transactions lie behind the records of each
        self.markers: dict[tuple[str, int], int] = defaultdict(int)
        self._numbers = itertools.count()

    def publish(
        self, topic: str, customer_id: str, type: str, at_ms: int, data: Mapping[str, Any]
    ) -> None:
        """An event that occurred, and was written, then."""
        envelope = {
            "event_id": f"e{next(self._numbers)}",
            "type": type,
            "customer_id": customer_id,
            "occurred_at": at_ms,
            "data": data,
        }
        self.publish_raw(topic, customer_id.encode(), orjson.dumps(envelope), at_ms)

    def publish_raw(self, topic: str, key: bytes | None, value: bytes | None, at_ms: int) -> None:
        partition = 0 if key is None else partition_for(key, self.partitions)
        log = self.input[topic, partition]
        log.append(RestoredRecord(topic, partition, len(log), at_ms, key, value, ()))

    def log(self, topic: str, partition: int) -> list[RestoredRecord]:
        """What a partition of an input topic or of the repartition topic holds."""
        if topic != REPARTITION:
            return self.input[topic, partition]
        name = SETTINGS.repartition_topic
        return [
            RestoredRecord(name, partition, at, self.now_ms, each.key, each.value, each.headers)
            for at, each in enumerate(self.broker.of(REPARTITION, partition))
        ]

    def customer(self, customer_id: str) -> Customer:
        """The record as the database has it. Not while a worker runs."""
        store = PartitionStore(self.folder_of(partition_for(customer_id.encode(), self.partitions)))
        try:
            return PartitionCustomers(store).get(customer_id)
        finally:
            store.close()

    def folder_of(self, partition: int) -> Path:
        """Where the database of a partition is."""
        return self.folder / str(partition)

    def decisions(self) -> list[dict[str, Any]]:
        """All that a reader of the decisions topic gets."""
        return [orjson.loads(each.value or b"") for each in self.broker.of("decisions")]

    def requests(self) -> list[dict[str, Any]]:
        """All that a reader of the dispatch topic gets."""
        return [orjson.loads(each.value or b"") for each in self.broker.of("dispatch")]


class Worker:
    """One life. ``speeds``: records of a topic that one loop hands over at most, 500 by default."""

    def __init__(
        self,
        world: World,
        rules: Rules,
        *,
        is_exactly_once: bool = False,
        hook: Hook = ignore_hook,
        loop_ms: int = 10,
        speeds: Mapping[str, int] | None = None,
        settings: Settings = SETTINGS,
        pace: Pace | None = None,
    ) -> None:
        self.world = world
        self.metrics = Metrics()
        self.failure: BaseException | None = None
        #: how its partitions stood when they were released
        self.last_figures: list[PartitionFigures] = []
        self._rules = rules
        self._hook = hook
        self._loop_ms = loop_ms
        self._speeds = speeds or {}
        self._settings = settings
        self._pace = pace or Pace()
        self._is_exactly_once = is_exactly_once
        self.progress = InputProgress(
            settings.read_topics, 4_000, is_consumer_committing=not is_exactly_once
        )
        self.progress.positions.joined(GroupMembership(1, "member"))
        #: by logical name, which but for the repartition topic is that on the broker
        self._topics = list(settings.read_topics)
        self._numbers: dict[TopicPartition, int] = defaultdict(int)

    def run(self, until: Callable[["Worker"], bool]) -> "Worker":
        """Live until the predicate holds between two loops of the transport, or a failure."""
        asyncio.run(self._run(until))
        return self

    def is_at_rest(self) -> bool:
        """Everything that is published, and was sent on, is handled and committed."""
        return not self.progress.buffered.total() and all(
            self._committed(topic, partition) == len(self.world.log(topic, partition))
            for topic in self._topics
            for partition in range(self.world.partitions)
        )

    def has_passed_markers(self) -> bool:
        """What is committed is the end of each input partition that holds any record."""
        return all(
            self._committed(*place) == len(log) + self.world.markers[place]
            for place, log in self.world.input.items()
            if log
        )

    def _committed(self, topic: str, partition: int) -> int:
        name = self.progress.tp(topic, partition).topic
        return self.world.broker.committed.get(group_key(name, partition), 0)

    def is_current(self) -> bool:
        """Whether the partition says that it is."""
        return all(figures.is_current for figures in self.assigned.figures())

    def _committer(self) -> Committer:
        broker = self.world.broker
        outputs = replace(OUTPUTS, inputs=self.world.partitions)
        if not self._is_exactly_once:
            return AtLeastOnce(RecordingProducer(broker), self.progress, outputs, self._hook)
        producer = RecordingTransactions(broker)
        transactions = TransactionCoordinator(
            producer, "group", 10_000, lambda *_: None, self._hook
        )
        return ExactlyOnce(transactions, self.progress, outputs, self._hook)

    async def _run(self, until: Callable[["Worker"], bool]) -> None:
        world = self.world
        self.loop = asyncio.get_running_loop()
        clock = MachineClock(self._fail, lambda: world.now_ms, lambda: world.now_ms / 1000)
        context = PartitionContext(
            settings=self._settings,
            progress=self.progress,
            committer=self._committer(),
            metrics=self.metrics,
            machine_clock=clock,
            input_partitions=world.partitions,
            pace=self._pace,
        )
        self.assigned = AssignedPartitions(context, self._rules, self._fail)
        stores = [self._recovered(number) for number in range(world.partitions)]
        self._positions = {
            (topic, number): self._committed(topic, number)
            for topic in self._topics
            for number in range(world.partitions)
        }
        self.progress.positions.resumed(
            {
                self.progress.tp(topic, number): position
                for (topic, number), position in self._positions.items()
                if position
            }
        )
        self.assigned.assign(range(world.partitions), stores.__getitem__)
        try:
            for _ in range(_MOST_LOOPS):
                self.hand_over()
                self.assigned.pass_timers()
                await self._let_it_work()
                world.now_ms += self._loop_ms
                if self.failure is not None or until(self):
                    break
            else:
                raise AssertionError("the worker did not come to the state waited for")
        finally:
            self.last_figures = self.assigned.figures()
            await self.assigned.release_all()
            self._commit()
            for store in stores:
                store.close()

    def _recovered(self, partition: int) -> PartitionStore:
        store = PartitionStore(self.world.folder_of(partition))
        entries = [
            Entry(record.at, record.key, record.value)
            for record in self.world.broker.of(CHANGELOG, partition)
            if record.at > store.progress.offset
        ]
        if entries:
            store.apply(entries, entries[-1].offset)
        return store

    def hand_over(self) -> None:
        """A loop of the transport: whatever there is room for."""
        progress, now_ms = self.progress, self.world.now_ms
        places = {progress.tp(*place): place for place in self._positions}
        wanted = progress.buffered.with_room(places)
        batches = {}
        states = {}
        for tp, place in places.items():
            log, position = self.world.log(*place), self._positions[place]
            if tp in wanted:
                batch = log[position : position + self._speeds.get(place[0], 500)]
                if batch:
                    batches[tp] = batch
                    position = self._positions[place] = position + len(batch)
            behind, end = max(0, len(log) - position), len(log) + self.world.markers[place]
            states[tp] = ReadState(now_ms, behind == 0, behind, end, now_ms)
        progress.fetched({tp: len(batch) for tp, batch in batches.items()}, states)
        self.assigned.ends_known()
        for tp, batch in batches.items():
            number = self._numbers[tp]
            self._numbers[tp] = number + 1
            self.assigned.take(tp, RecordBatch(batch, number=number, after=-1, as_of_ms=now_ms))

    async def _let_it_work(self) -> None:
        """Until the processor has nothing to do with what it has, or waits for the committer."""
        for _ in range(20):
            await asyncio.sleep(0)
        if self._is_exactly_once:
            # in a thread, for which time does not stand still: on a busy machine it takes long
            await asyncio.sleep(0.0005)
            while any(task.get_name() == "transactions" for task in asyncio.all_tasks()):
                await asyncio.sleep(0.0005)
        self._commit()

    def _commit(self) -> None:
        for tp, position in self.progress.positions.for_consumer().items():
            self.world.broker.committed[group_key(tp.topic, tp.partition)] = position

    def _fail(self, error: BaseException) -> None:
        self.failure = self.failure or error
