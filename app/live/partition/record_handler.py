"""Decoding and handling one input record of a partition."""

from dataclasses import dataclass
from typing import Final

from app.core.engine import Engine, Handled
from app.core.errors import EventError
from app.core.events import Event
from app.core.time.instants import Instant
from app.formats.decode import Erasure, ReadBySchema, decode_record
from app.kafka.types import InputRecord
from app.live.commit.record_outcome import RecordOutcome
from app.live.commit.unit import CommitUnit, DeadLetter
from app.live.partition.shadow import Shadow
from app.live.repartition.outgoing import MisroutedRecords
from app.settings.topics import REPARTITION
from tables.customers import PartitionCustomers


@dataclass(slots=True)
class DecodedRecord:
    """A record whose turn has come, and what it says."""

    topic: str
    record: InputRecord
    #: first read on this partition, not forwarded from another one
    is_own: bool
    #: an understood event, an erasure, what is wrong with it, or None: it is misrouted
    content: Event | Erasure | EventError | None

    @property
    def occurred_ms(self) -> int | None:
        """Up to which event time this record shows the partition to be read; None: it does not.

        A record that came by way of another partition says nothing of how far this one was read.
        """
        content = self.content
        return content.occurred_ms if self.is_own and type(content) is Event else None

    @property
    def source(self) -> str:
        """What ``Customer.applied`` calls the topic partition that it was first read of."""
        return self.topic if self.is_own else f"{self.topic}/{self.record.partition}"

    @property
    def read_topic(self) -> str:
        """The logical topic that this partition read it of."""
        return self.topic if self.is_own else REPARTITION


class RecordHandler:
    """Applies records to the customers of one partition, after the timers before them fired."""

    def __init__(
        self,
        *,
        partition: int,
        engine: Engine,
        customers: PartitionCustomers,
        misrouted: MisroutedRecords,
        shadow: Shadow | None,
        read_by_schema: ReadBySchema | None,
        max_skew_ms: int,
    ) -> None:
        self._partition: Final = partition
        self._engine: Final = engine
        self._customers: Final = customers
        self._misrouted: Final = misrouted
        self._shadow: Final = shadow
        self._read_by_schema: Final = read_by_schema
        self._max_skew_ms: Final = max_skew_ms

    def decode(self, topic: str, record: InputRecord) -> DecodedRecord:
        """Understand a record; what is wrong with it is in its content."""
        is_own = record.partition == self._partition
        content: Event | Erasure | EventError | None = None
        if not (is_own and self._misrouted.is_next(topic, record.offset)):
            try:
                content = decode_record(
                    topic,
                    record.partition,
                    record.offset,
                    record.key,
                    record.value,
                    record.headers,
                    self._read_by_schema,
                )
            except EventError as exc:
                content = exc
        return DecodedRecord(topic, record, is_own, content)

    def handle(self, unit: CommitUnit, decoded: DecodedRecord, instant: Instant) -> RecordOutcome:
        """Take the record into the unit and into the customer's state."""
        content = decoded.content
        if type(content) is Event:
            return self._handle_event(unit, decoded, content, instant)
        if content is None:
            self._misrouted.pass_by(decoded.topic)
            return RecordOutcome.MISROUTED
        if isinstance(content, Erasure):
            return self._erase(decoded, content)
        assert isinstance(content, EventError)
        return self.reject(unit, decoded.topic, decoded.record, content)

    def reject(
        self, unit: CommitUnit, topic: str, record: InputRecord, error: EventError
    ) -> RecordOutcome:
        """Make the record a dead letter of the unit."""
        unit.dead_letters.append(DeadLetter(topic, record, error))
        return RecordOutcome.DEAD

    def must_commit_before(self, unit: CommitUnit, decoded: DecodedRecord) -> bool:
        """Whether the unit has to be sent before the record is handled: an erased customer has no
        outbox, and what is in one is personal.
        """
        content = decoded.content
        return isinstance(content, Erasure) and any(
            decision.customer_id == content.customer_id for decision in unit.decisions
        )

    def _handle_event(
        self, unit: CommitUnit, decoded: DecodedRecord, event: Event, instant: Instant
    ) -> RecordOutcome:
        if event.traceparent is not None:
            unit.traces.append(event.traceparent)
        customer = self._customers.get(event.customer_id)
        source, offset = decoded.source, decoded.record.offset
        if customer.applied.get(source, -1) >= offset:
            return RecordOutcome.SKIPPED
        if event.occurred_ms - instant.now_ms > self._max_skew_ms:
            unit.skewed += 1
        if self._shadow is not None:
            self._shadow.see([customer])
            self._shadow.handle(event, instant)
        try:
            handled = self._engine.handle(
                event, instant.now_ms, instant.watermark_ms, is_current=instant.is_current
            )
        except EventError as exc:
            return self.reject(unit, decoded.topic, decoded.record, exc)
        if handled is Handled.UNKNOWN_TYPE:
            return RecordOutcome.UNKNOWN
        customer.applied[source] = offset
        if handled is Handled.APPLIED:
            unit.note_list_health(event, self._engine.rules.channels)
            unit.note_unknown_channels(event, self._engine.rules.feedback)
            return RecordOutcome.APPLIED
        self._customers.changed(customer)
        if handled is Handled.MACHINE_OPEN:
            return RecordOutcome.MACHINE_OPEN
        return RecordOutcome.DUPLICATE

    def _erase(self, decoded: DecodedRecord, erasure: Erasure) -> RecordOutcome:
        customer = self._customers.get(erasure.customer_id)
        source, offset = decoded.source, decoded.record.offset
        if customer.applied.get(source, -1) >= offset:
            return RecordOutcome.SKIPPED
        customer.applied[source] = offset
        self._engine.erase(erasure.customer_id)
        if self._shadow is not None:
            self._shadow.erase(erasure.customer_id)
        return RecordOutcome.ERASED
