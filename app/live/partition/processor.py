"""Processes one partition: builds commit units from its records and due timers and commits them
one at a time.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Final

from app.core.customer.codec import WithProfile
from app.core.customer.parts import StoppedStart
from app.core.decisions import Decision
from app.core.merges import Forward
from app.core.outcomes import SendOutcome
from app.core.rules.model import Rules
from app.core.rules.rates import Rates, RateState
from app.core.time.instants import Instant
from app.kafka.partitioning import partition_for
from app.live.clock.partition_clock import PartitionClock, RecordsClock, WallClock
from app.live.clock.watermark import BEGINNING_OF_TIME_MS
from app.live.commit.record_outcome import RecordOutcome
from app.live.commit.unit import CommitUnit
from app.live.customer_snapshot import CustomerSnapshot
from app.live.input.record_batch import RecordBatch
from app.live.partition.context import PartitionContext
from app.live.partition.partition_input import PartitionInput
from app.live.partition.record_handler import DecodedRecord, RecordHandler
from app.live.partition.shadow import Shadow
from app.live.partition.timers import fire_timers
from app.live.telemetry.gauges import PartitionFigures
from app.live.telemetry.unit_log import log_unit
from app.settings.topics import REPARTITION
from tables import records
from tables.customers import PartitionCustomers
from tables.layout import HEAD_BYTES, head_of
from tables.partition import PartitionStore


class PartitionProcessor:
    """Owns a partition's input, clock, engine and customers between assignment and revocation.

    ``run`` is a task of the worker's main loop, where all else is called too.
    """

    def __init__(
        self, partition: int, store: PartitionStore, context: PartitionContext, rules: Rules
    ) -> None:
        settings, pace = context.settings, context.pace
        self.partition = partition
        self._context = context
        self._unit_records: Final = pace.unit_records
        self._slice_records: Final = pace.slice_records
        self._unit_s: Final = pace.unit_s
        #: as the last one was; not known before the first
        self._is_commit_slow = True
        self._unit_customers: Final = pace.unit_customers
        self._slice_customers: Final = min(pace.slice_records, pace.unit_customers)
        self._store = store
        self._now_ms = context.machine_clock.now_ms
        self._input = PartitionInput(partition, context)
        self.clock: PartitionClock = (
            RecordsClock(settings.grace_ms)
            if settings.clock == "records"
            else WallClock(self._input.watermark, self._now_ms)
        )
        belongs_here = _keys_of(context, partition)
        self._customers = PartitionCustomers(
            store, belongs_here, self._now_ms, tombstone_ms=pace.tombstone_ms
        )
        shed = context.metrics.records_shed
        self._customers.on_shed = lambda part: shed.labels(part).inc()
        self._swept_at = time.monotonic()
        self._unit = CommitUnit(now_ms=0)
        self._engine = context.make_engine(
            rules,
            self._customers,
            self._add_decision,
            self._add_outcome,
            Rates(context.input_partitions, settings.grace_ms, self._rate_state_of),
            self._add_stopped,
            holds=lambda customer_id: belongs_here(customer_id.encode(errors="surrogatepass")),
            emit_forward=self._send_on,
        )
        self._shadow = (
            None
            if context.shadow_rules is None
            else Shadow(
                context.shadow_rules,
                context.metrics,
                partitions=context.input_partitions,
                grace_ms=settings.grace_ms,
            )
        )
        self._handler = RecordHandler(
            partition=partition,
            engine=self._engine,
            customers=self._customers,
            misrouted=self._input.misrouted,
            shadow=self._shadow,
            read_by_schema=context.read_by_schema,
            max_skew_ms=settings.max_skew_ms,
            logical=context.progress.logical,
            largest_guest_bytes=context.largest_guest_bytes,
        )
        self._committer = context.committer.for_partition(partition, self._customers, store)
        #: a record taken from the merge whose turn comes after timers of another unit
        self._held: DecodedRecord | None = None
        self._wake = asyncio.Event()
        self._is_ending = False
        self.busy_at = time.monotonic()

    def _rate_state_of(self, _customer_id: str) -> RateState:
        return self._customers.rate_state

    # -- called by the assigned partitions

    def add(self, topic: str, batch: RecordBatch) -> None:
        """Buffer a record batch of a topic for its turn.

        Raises InfrastructureError when the batch before it never came.
        """
        self._input.add(topic, batch)
        self._wake.set()

    def look_at_timers(self) -> None:
        """See whether timers are due."""
        self._wake.set()

    def ends_known(self) -> None:
        """More is known of how far topics are read, which a record may wait for."""
        if self._input.is_waiting:
            self._wake.set()

    def use_rules(self, rules: Rules) -> None:
        """Decide by these from the next commit unit on: the decisions of a unit are all made
        before the loop gets to run anything else.
        """
        self._engine.rules = rules

    def end(self) -> None:
        """Finish the unit in progress, then no more."""
        self._is_ending = True
        self._wake.set()

    def snapshot(self, customer_id: str) -> CustomerSnapshot:
        """The customer as the last unit left them, and rules and now of this partition.

        From the database: a unit in progress may still fail.
        """
        value = self._store.get(customer_id.encode())
        is_there = value is not None and not head_of(value).is_erased
        now_ms = self.clock.instant.now_ms
        return CustomerSnapshot(
            customer=records.decode(value, HEAD_BYTES) if value and is_there else None,
            rules=self._engine.rules,
            now_ms=self._now_ms() if now_ms == BEGINNING_OF_TIME_MS else now_ms,
            waits_for=() if self._input.is_current() else tuple(self._input.not_current_topics()),
        )

    def profiles_after(self, customer_id: str, limit: int) -> tuple[list[WithProfile], str | None]:
        """Up to ``limit`` customers with larger ids, in the order of these, as the last unit left
        them; and the id to go on after, None at the end.
        """
        read = list(self._store.some(limit, customer_id.encode()))
        found = [
            records.decode_profile(value, HEAD_BYTES)
            for _, value in read
            if not head_of(value).is_erased
        ]
        return found, read[-1][0].decode() if len(read) == limit else None

    def figures(self) -> PartitionFigures:
        """How the partition stands now."""
        stored, age_ms = self._store.progress, self.clock.watermark_age_ms()
        return PartitionFigures(
            partition=self.partition,
            customers=stored.customers,
            timers_pending=stored.pending,
            state_bytes=self._store.files_bytes(),
            is_current=self._input.is_current(),
            watermark_age_s=None if age_ms is None else age_ms / 1000,
            lag_records=self._input.lag_records(),
        )

    def is_idle(self, as_of_ms: int = 0) -> bool:
        """Whether everything that was there at that instant, or later, has been handled."""
        return self._input.is_idle(as_of_ms)

    # -- the task

    async def run(self) -> None:
        """Work until ``end``. Raises what went wrong; nothing of that unit is then committed."""
        resend = self._store.unsent()
        if resend:
            unit = CommitUnit(now_ms=self._now_ms())
            unit.resend = resend
            await self._commit(unit, time.perf_counter())
        while not self._is_ending:
            self._wake.clear()
            if await self._work():
                await asyncio.sleep(0)
            else:
                await self._rest()
        if self._committer.has_unmarked_outboxes:
            await self._committer.mark_outboxes_sent()

    async def _rest(self) -> None:
        if time.monotonic() - self.busy_at > self._context.pace.quiet_s:
            if self._committer.has_unmarked_outboxes:
                await self._committer.mark_outboxes_sent()
            unit = CommitUnit(now_ms=self._now_ms())
            self._input.pass_markers(unit)
            if unit.positions:
                await self._commit(unit, time.perf_counter())
        if time.monotonic() - self._swept_at > self._context.pace.sweep_s:
            self._store.touch()
            if self.is_idle():
                self._swept_at = time.monotonic()
                await self._sweep()
        try:
            await asyncio.wait_for(self._wake.wait(), self._input.wait_s())
        except TimeoutError:
            return

    async def _sweep(self) -> None:
        """Take away tombstones that ended, and what the files still have of erased customers; of
        customers merged long ago, nothing is sent on any more.

        Only while everything that was read is handled: nothing from before an erasure is read
        again then.
        """
        while ids := self._store.merged(self.clock.instant.now_ms - 1, self._unit_customers):
            for customer_id in ids:
                self._customers.end_forwarding(customer_id)
            await self._commit(CommitUnit(now_ms=self._now_ms()), time.perf_counter())
        has_swept = False
        while ids := self._store.tombstones(self._now_ms(), self._unit_customers):
            for customer_id in ids:
                self._customers.forget(customer_id)
            await self._commit(CommitUnit(now_ms=self._now_ms()), time.perf_counter())
            has_swept = True
        if has_swept:
            await asyncio.to_thread(self._store.compact)

    async def _work(self) -> bool:
        """One commit unit; False when there was nothing to do."""
        await self._context.turn.has_time(self._context.pace.turn_s)
        started = time.perf_counter()
        self._input.advance_watermark()
        instant = self.clock.start_unit(is_current=self._input.is_current())
        unit = self._unit = CommitUnit(now_ms=self._now_ms())
        unit.misrouted = self._input.misrouted.take_pending()
        self._take_rejected(unit)
        released = self._release_parked(instant)
        has_room = released < self._most_customers and self._fire_timers()
        has_room = has_room and self._handle_records(started)
        if self._shadow is not None:
            self._shadow.settle(unit.decisions)
        self._context.turn.took(time.perf_counter() - started)
        has_work = bool(unit.consumed or unit.timers or unit.misrouted or released)
        if has_work:
            self.busy_at = time.monotonic()
            self._input.pass_markers(unit)
            await self._commit(unit, started)
        self._input.report_repartition_progress(has_merged=self._customers.has_merged)
        return has_work or not has_room

    @property
    def _most_customers(self) -> int:
        """About how many the unit in progress may have."""
        return self._slice_customers if self._is_commit_slow else self._unit_customers

    def _release_parked(self, instant: Instant) -> int:
        """Give parked steps their timers back once the partition is current; of how many
        customers. With as many as a unit has there may be more, and none is decided before all
        are back.
        """
        if not instant.is_current:
            return 0
        if self._shadow is not None:
            self._shadow.release_parked(instant)
        return self._engine.release_parked(instant.watermark_ms, self._most_customers)

    def _take_rejected(self, unit: CommitUnit) -> None:
        """Account for what lies in the repartition topic and gets no turn."""
        rejected, position = self._input.take_rejected()
        for record, error in rejected:
            unit.count(
                REPARTITION,
                RecordOutcome.SKIPPED
                if error is None
                else self._handler.reject(unit, REPARTITION, record, error),
            )
        if rejected:
            unit.consumed[REPARTITION] = len(rejected)
            unit.positions[REPARTITION] = position

    async def _commit(self, unit: CommitUnit, started: float) -> None:
        handled = time.perf_counter()
        spans = self._context.spans
        with nullcontext() if spans is None else spans.unit(self.partition, unit, started):
            await self._committer.commit(unit)
        now = time.perf_counter()
        self._is_commit_slow = now - handled > self._context.pace.commit_s
        self._context.metrics.unit_done(unit, handled - started, now - handled)
        log_unit(unit)

    def _add_decision(self, decision: Decision) -> None:
        self._unit.add_decision(decision)

    def _add_outcome(self, outcome: SendOutcome) -> None:
        self._unit.add_outcome(outcome)

    def _add_stopped(self, start: StoppedStart) -> None:
        self._unit.add_stopped(start)

    def _send_on(self, forward: Forward) -> None:
        self._handler.send_on(forward)

    def _fire_timers(self) -> bool:
        """Fire what is due; False when the unit is full before all of it has fired."""
        customers, clock, unit, shadow = self._customers, self.clock, self._unit, self._shadow
        due_ms = clock.instant.watermark_ms
        while customers.earliest_due_ms() <= due_ms:
            if customers.touched_count() >= self._most_customers:
                return False
            bound_ms = customers.bound_ms(due_ms, self._most_customers)
            if shadow is not None:
                shadow.see(customers.due(bound_ms))
            made = len(unit.decisions)
            fired = fire_timers(self._engine, clock, bound_ms)
            unit.by_timer += unit.decisions[made:]
            if shadow is not None:
                shadow.fire(clock, bound_ms)
            if not fired and customers.earliest_due_ms() <= bound_ms:
                raise RuntimeError("a timer is due in the index and nothing fired for it")
            unit.timers += fired
        if shadow is not None:
            shadow.fire(clock, due_ms)
        return True

    def _handle_records(self, started: float) -> bool:
        """Handle buffered records in a unit that began at that instant of ``perf_counter``; False
        when timers filled the unit and a record waits.
        """
        held, self._held = self._held, None
        if held is not None and not self._handle(held):
            return False
        customers, unit, decode = self._customers, self._unit, self._handler.decode
        left_of_slice = 0
        for topic, record in self._input.take(self._unit_records):
            if not left_of_slice:
                left_of_slice = self._slice_records
                coming = self._input.upcoming(left_of_slice)
                customers.read_ahead([record.key, *(each.key for each in coming)])
            left_of_slice -= 1
            if not self._handle(decode(topic, record)):
                return False
            if customers.touched_count() >= self._most_customers or unit.is_heavy:
                break
            if not left_of_slice and (
                self._is_commit_slow or time.perf_counter() - started >= self._unit_s
            ):
                break
        return True

    def _handle(self, decoded: DecodedRecord) -> bool:
        """The clock moves, what is due fires, then the record is handled.

        When the unit is full of timers the record is held for the next one: False.
        """
        unit, handler, topic, record = self._unit, self._handler, decoded.topic, decoded.record
        instant = self.clock.advance(topic, record.timestamp, decoded.occurred_ms)
        is_due = self._customers.earliest_due_ms() <= instant.watermark_ms
        if (is_due and not self._fire_timers()) or handler.must_commit_before(unit, decoded):
            self._held = decoded
            return False
        outcome = handler.handle(unit, decoded, instant)
        unit.count(topic, outcome)
        read = topic if decoded.is_own else REPARTITION
        unit.consumed[read] = unit.consumed.get(read, 0) + 1
        unit.positions[read] = (
            record.offset + 1
            if decoded.is_own
            else self._input.repartitioned.handled(decoded.forwarded or record)
        )
        if outcome is not RecordOutcome.MISROUTED:
            unit.lags_ms.setdefault(topic, []).append(unit.now_ms - record.timestamp)
        return True


def _keys_of(context: PartitionContext, partition: int) -> Callable[[bytes], bool]:
    return lambda key: partition_for(key, context.input_partitions) == partition
