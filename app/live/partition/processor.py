"""The work on one partition number: one commit unit after the other, never two at once."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Final, Protocol

from aiokafka.structs import ConsumerRecord

from app.core.context import Emit
from app.core.decisions import Decision
from app.core.engine import Customers, Engine, Handled
from app.core.errors import EventError, InfrastructureError
from app.core.events import Event
from app.core.outcomes import EmitOutcome, SendOutcome
from app.core.rules.model import Rules
from app.formats.decode import Erasure, ReadBySchema, decode_record
from app.kafka.partitioning import partition_for
from app.live.clock.machine_clock import MachineClock
from app.live.clock.partition_clock import Clock, RecordsClock, WallClock
from app.live.clock.watermark import BEGINNING_OF_TIME_MS, Watermark
from app.live.commit.committer import Committer
from app.live.commit.unit import CommitUnit, DeadLetter
from app.live.customer_snapshot import CustomerSnapshot
from app.live.input.progress import InputProgress
from app.live.input.record_batch import RecordBatch
from app.live.input.timestamp_merge import TimestampMerge
from app.live.partition.shadow import Shadow
from app.live.repartition.incoming import RepartitionInput
from app.live.repartition.outgoing import MisroutedRecords
from app.live.repartition.progress import FAR_MS, RepartitionProgress, RepartitionWatermark
from app.live.telemetry.gauges import PartitionFigures
from app.live.telemetry.metrics import Metrics
from app.live.telemetry.tracing import UnitSpans
from app.live.telemetry.unit_log import log_unit
from app.settings.model import Settings
from app.settings.topics import REPARTITION
from tables import records
from tables.customers import PartitionCustomers
from tables.layout import head_of, record_of
from tables.partition import PartitionStore

#: A commit unit ends at about so many records, or customers that timers touched.
UNIT_RECORDS: Final = 1000
UNIT_CUSTOMERS: Final = 2000
#: How often a quiet partition is looked through for tombstones that ended.
SWEEP_S: Final = 3600.0

MakeEngine = Callable[[Rules, Customers, Emit, EmitOutcome], Engine]


class Shared(Protocol):
    """What the lanes of a worker have in common."""

    settings: Settings
    intake: InputProgress
    effects: Committer
    metrics: Metrics
    make_task: MakeEngine
    rules: Rules
    shadow_rules: Rules | None
    input_partitions: int
    read_by_schema: ReadBySchema | None
    spans: UnitSpans | None
    upstream: RepartitionProgress
    wall: MachineClock


class PartitionProcessor:
    """Owns a partition's buffer, clock, task and customers between assignment and release."""

    def __init__(self, partition: int, store: PartitionStore, shared: Shared) -> None:
        settings, intake = shared.settings, shared.intake
        self.partition = partition
        self._store = store
        self._intake = intake
        self._metrics = shared.metrics
        self._read_by_schema = shared.read_by_schema
        self._spans = shared.spans
        self._now_ms = shared.wall.now_ms
        self._max_skew_ms = settings.max_skew_ms
        self._tps = {topic: intake.tp(topic, partition) for topic in settings.read_topics}
        self._buffer = TimestampMerge(
            self._tps,
            lambda topic: intake.is_read_up(self._tps[topic]),
            settings.max_idle_ms / 1000,
            is_rehearsal=settings.clock == "records",
        )
        #: by topic, how many batches came
        self._taken = dict.fromkeys(self._tps, 0)
        self._strays = MisroutedRecords(settings.input_topics, partition, shared.input_partitions)
        self._rerouted = RepartitionInput(intake.logical, self._buffer)
        self._upstream = shared.upstream
        self._arrivals = RepartitionWatermark(shared.upstream)
        self._watermark = Watermark(self._tps, settings.grace_ms)
        self.clock: Clock = (
            RecordsClock(settings.grace_ms)
            if settings.clock == "records"
            else WallClock(self._watermark, self._now_ms)
        )
        self._customers = PartitionCustomers(
            store,
            lambda key: partition_for(key, shared.input_partitions) == partition,
            self._now_ms,
        )
        self._swept_at = time.monotonic()
        self._unit = CommitUnit(now_ms=0)
        self._task = shared.make_task(shared.rules, self._customers, self._decided, self._led_to)
        rules = shared.shadow_rules
        self._shadow = None if rules is None else Shadow(rules, shared.metrics)
        self._effects = shared.effects.for_partition(partition, self._customers, store)
        #: a record taken from the buffer whose turn comes after timers of another unit
        self._held: tuple[str, ConsumerRecord] | None = None
        self._wake = asyncio.Event()
        self._is_ending = False
        self.busy_at = time.monotonic()

    def count(self, topic: str, stretch: RecordBatch) -> None:
        """See that no batch of a topic was lost before this one. Raises InfrastructureError."""
        expected = self._taken[topic]
        if stretch.number != expected:
            raise InfrastructureError(
                f"{topic}[{self.partition}]: got batch {stretch.number} at offset"
                f" {stretch[0].offset}, expected {expected}: one was lost on the way; it is read"
                " again after a restart"
            )
        self._taken[topic] = expected + 1

    def add(self, topic: str, records: Sequence[ConsumerRecord]) -> None:
        """Buffer records of a topic for their turn."""
        if topic == REPARTITION:
            had = self._rerouted.add(records)
        else:
            had = self._buffer.add(topic, records)
            self._strays.find(topic, records[had:])
        if had:
            self._intake.dropped(self._tps[topic], had)
        self._wake.set()

    def wake(self) -> None:
        """Look whether timers are due."""
        self._wake.set()

    def use_rules(self, rules: Rules) -> None:
        """Decide by these from the next commit unit on: a unit's decisions are all made before
        the loop gets to run anything else.
        """
        self._task.rules = rules

    def end(self) -> None:
        """Finish the unit in progress, then no more."""
        self._is_ending = True
        self._wake.set()

    def standing(self, customer_id: str) -> CustomerSnapshot:
        """The customer as the last unit left them, and rules and now of this partition.

        From the database: a unit in progress may still fail.
        """
        value = self._store.get(customer_id.encode())
        is_there = value is not None and not head_of(value).is_erased
        return CustomerSnapshot(
            customer=records.decode(record_of(value)) if value and is_there else None,
            rules=self._task.rules,
            now_ms=self._now_ms()
            if self.clock.now_ms == BEGINNING_OF_TIME_MS
            else self.clock.now_ms,
        )

    def figures(self) -> PartitionFigures:
        """How the partition stands now."""
        progress, age_ms = self._store.progress, self.clock.watermark_age_ms()
        lags = {topic: self._intake.lag_records(tp) for topic, tp in self._tps.items()}
        return PartitionFigures(
            partition=self.partition,
            customers=progress.customers,
            timers_pending=progress.pending,
            state_bytes=self._store.files_bytes(),
            watermark_age_s=None if age_ms is None else age_ms / 1000,
            lag_records={topic: lag for topic, lag in lags.items() if lag is not None},
        )

    def is_idle(self) -> bool:
        """Whether everything there was has been handled."""
        return all(
            self._intake.complete_as_of_ms(tp) is not None for tp in self._tps.values()
        ) and not (len(self._buffer) or self._strays.pending or self._rerouted.settled)

    async def run(self) -> None:
        """Work until ``end``. Raises what went wrong; nothing of that unit is then committed."""
        resend = self._store.unsent()
        if resend:
            unit = CommitUnit(now_ms=self._now_ms())
            unit.resend = resend
            await self._apply(unit, time.perf_counter())
        while not self._is_ending:
            self._wake.clear()
            if await self._work():
                await asyncio.sleep(0)
            else:
                await self._rest()
        if self._effects.has_unmarked_outboxes:
            await self._effects.mark_outboxes_sent()

    async def _rest(self) -> None:
        if self._effects.has_unmarked_outboxes and time.monotonic() - self.busy_at > 1.0:
            await self._effects.mark_outboxes_sent()
        if time.monotonic() - self._swept_at > SWEEP_S:
            self._store.touch()
            if self.is_idle():
                self._swept_at = time.monotonic()
                await self._sweep()
        try:
            await asyncio.wait_for(self._wake.wait(), self._buffer.wait_s())
        except TimeoutError:
            return

    async def _sweep(self) -> None:
        """Take away tombstones that ended, and what the files still have of erased customers.

        Only while everything that was read is handled: nothing from before an erasure is read
        again then.
        """
        has_swept = False
        while ids := self._store.tombstones(self._now_ms(), UNIT_CUSTOMERS):
            for customer_id in ids:
                self._customers.forget(customer_id)
            await self._apply(CommitUnit(now_ms=self._now_ms()), time.perf_counter())
            has_swept = True
        if has_swept:
            await asyncio.to_thread(self._store.compact)

    async def _work(self) -> bool:
        """One commit unit; False when there was nothing to do."""
        started = time.perf_counter()
        self._raise_watermark()
        self.clock.start_unit()
        unit = self._unit = CommitUnit(now_ms=self._now_ms())
        unit.misrouted = self._strays.take()
        self._settle(unit)
        has_room = self._fire() and self._handle_records()
        if self._shadow is not None:
            self._shadow.settle(unit.decisions)
        has_work = bool(unit.consumed or unit.timers or unit.misrouted)
        if has_work:
            self.busy_at = time.monotonic()
            await self._apply(unit, started)
        self._say_how_far()
        return has_work or not has_room

    def _raise_watermark(self) -> None:
        """Take what is known of the topics' ends."""
        for topic, tp in self._tps.items():
            if topic != REPARTITION:
                as_of_ms = self._intake.complete_as_of_ms(tp)
                if as_of_ms is not None:
                    self._watermark.rise(topic, as_of_ms)
        read_through_ms = self._intake.read_through_ms(self._tps[REPARTITION])
        self._watermark.rise(REPARTITION, self._arrivals.conclude(self._now_ms(), read_through_ms))

    def _say_how_far(self) -> None:
        """Tell the other lanes up to when all their records were sent on from here."""
        reached_ms = map(self._watermark.seen_ms, self._strays.doubtful())
        self._upstream.say(self.partition, min(reached_ms, default=FAR_MS))

    def _settle(self, unit: CommitUnit) -> None:
        """Deal with what lies in the repartition topic and needs no turn."""
        settled, position = self._rerouted.take_settled()
        for record, error in settled:
            outcome = "skipped" if error is None else self._dead(unit, REPARTITION, record, error)
            unit.count(REPARTITION, outcome)
        if settled:
            unit.consumed[REPARTITION] = len(settled)
            unit.positions[REPARTITION] = position

    async def _apply(self, unit: CommitUnit, started: float) -> None:
        handled = time.perf_counter()
        spans = self._spans
        with nullcontext() if spans is None else spans.unit(self.partition, unit, started):
            await self._effects.commit(unit)
        self._metrics.unit_done(unit, handled - started, time.perf_counter() - handled)
        log_unit(unit)

    def _decided(self, decision: Decision) -> None:
        self._unit.add_decision(decision)

    def _led_to(self, outcome: SendOutcome) -> None:
        self._unit.add_outcome(outcome)

    def _fire(self) -> bool:
        """Fire what is due; False when the unit is full before all of it has fired."""
        customers, clock, unit, shadow = self._customers, self.clock, self._unit, self._shadow
        while customers.earliest_due_ms() <= clock.due_ms:
            if customers.touched_count() >= UNIT_CUSTOMERS:
                return False
            bound_ms = customers.bound_ms(clock.due_ms, UNIT_CUSTOMERS)
            if shadow is not None:
                shadow.see(customers.due(bound_ms))
            made = len(unit.decisions)
            fired = clock.fire(self._task, bound_ms)
            unit.by_timer += unit.decisions[made:]
            if shadow is not None:
                shadow.fire(clock, bound_ms)
            if not fired and customers.earliest_due_ms() <= bound_ms:
                raise RuntimeError("a timer is due in the index and nothing fired for it")
            unit.timers += fired
        if shadow is not None:
            shadow.fire(clock, clock.due_ms)
        return True

    def _handle_records(self) -> bool:
        """Handle buffered records; False when timers filled the unit and a record waits for them.

        The order before each: the clock moves, what is due fires, then the record.
        """
        customers = self._customers
        held, self._held = self._held, None
        if held is not None and not self._handle(*held):
            return False
        for topic, record in self._buffer.take(UNIT_RECORDS):
            if not self._handle(topic, record):
                return False
            if customers.touched_count() >= UNIT_CUSTOMERS or self._unit.is_heavy:
                break
        return True

    def _handle(self, topic: str, record: ConsumerRecord) -> bool:
        """Handle one record, or hold it and return False when the unit is full of timers."""
        unit, clock, customers = self._unit, self.clock, self._customers
        is_own = record.partition == self.partition
        error: EventError | None = None
        event: Event | Erasure | None = None
        is_stray = is_own and self._strays.is_next(topic, record.offset)
        if not is_stray:
            try:
                event = decode_record(
                    topic,
                    record.partition,
                    record.offset,
                    record.key,
                    record.value,
                    record.headers,
                    self._read_by_schema,
                )
            except EventError as exc:
                error = exc
        # What comes by way of another partition says nothing of how far this one has been read.
        occurred_ms = event.occurred_ms if is_own and type(event) is Event else None
        clock.arrive(topic, record.timestamp, occurred_ms)
        if (customers.earliest_due_ms() <= clock.due_ms and not self._fire()) or (
            isinstance(event, Erasure) and self._has_decided(event.customer_id)
        ):
            self._held = topic, record
            return False
        if is_stray:
            self._strays.pass_by(topic)
            outcome = "misrouted"
        elif error is not None:
            outcome = self._dead(unit, topic, record, error)
        elif isinstance(event, Erasure):
            outcome = self._erase(topic, record, event)
        else:
            assert event is not None
            outcome = self._handle_event(unit, topic, record, event)
        unit.count(topic, outcome)
        read, position = (
            (topic, record.offset + 1) if is_own else (REPARTITION, self._rerouted.handled(record))
        )
        unit.consumed[read] = unit.consumed.get(read, 0) + 1
        unit.positions[read] = position
        if not is_stray:
            unit.lags_ms.setdefault(topic, []).append(unit.now_ms - record.timestamp)
        return True

    def _handle_event(
        self, unit: CommitUnit, topic: str, record: ConsumerRecord, event: Event
    ) -> str:
        if event.traceparent is not None:
            unit.traces.append(event.traceparent)
        customers = self._customers
        customer = customers.get(event.customer_id)
        source = self._source(topic, record)
        if customer.applied.get(source, -1) >= record.offset:
            return "skipped"
        if event.occurred_ms - self.clock.now_ms > self._max_skew_ms:
            unit.skewed += 1
        if self._shadow is not None:
            self._shadow.see([customer])
            self._shadow.handle(self.clock, event)
        try:
            handled = self.clock.handle(self._task, event)
        except EventError as exc:
            return self._dead(unit, topic, record, exc)
        if handled is Handled.UNKNOWN_TYPE:
            return "unknown"
        customer.applied[source] = record.offset
        if handled is Handled.APPLIED:
            unit.note_list_health(event, self._task.rules.channels)
            return "applied"
        customers.changed(customer)
        return "duplicate"

    def _source(self, topic: str, record: ConsumerRecord) -> str:
        """What ``Customer.applied`` calls the topic partition that the record was first read of."""
        if record.partition == self.partition:
            return topic
        return f"{topic}/{record.partition}"

    def _has_decided(self, customer_id: str) -> bool:
        """Whether the unit has to be sent before the customer is erased: a tombstone has no outbox,
        and what is in one is personal.
        """
        return any(decision.customer_id == customer_id for decision in self._unit.decisions)

    def _erase(self, topic: str, record: ConsumerRecord, erasure: Erasure) -> str:
        source = self._source(topic, record)
        applied = self._customers.get(erasure.customer_id).applied
        if applied.get(source, -1) >= record.offset:
            return "skipped"
        applied[source] = record.offset
        self._task.erase(erasure.customer_id)
        if self._shadow is not None:
            self._shadow.erase(erasure.customer_id)
        return "erased"

    def _dead(self, unit: CommitUnit, topic: str, record: ConsumerRecord, error: EventError) -> str:
        unit.dead_letters.append(DeadLetter(topic, record, error))
        return "dead"
