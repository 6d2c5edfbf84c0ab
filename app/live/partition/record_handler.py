"""Decoding and handling one input record of a partition."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.core.customer.record import Customer
from app.core.engine import Engine, Handled
from app.core.errors import EventError
from app.core.events import ENGAGEMENT, MERGE, PROFILES, Event
from app.core.merges import Forward
from app.core.time.instants import Instant
from app.formats.decode import Erasure, ReadBySchema, decode_record
from app.kafka.types import InputRecord
from app.live.commit.record_outcome import RecordOutcome
from app.live.commit.unit import CommitUnit, DeadLetter, SentOn
from app.live.partition.shadow import Shadow
from app.live.repartition.envelope import require_room
from app.live.repartition.merged import (
    ForwardedRecord,
    note_taken,
    number_of_next,
    wrap_forwarded,
)
from app.live.repartition.outgoing import MisroutedRecords
from tables import records
from tables.customers import PartitionCustomers


@dataclass(slots=True, init=False)
class DecodedRecord:
    """A record whose turn has come, decoded."""

    topic: str
    record: InputRecord
    #: first read on this partition, not forwarded from another one
    is_own: bool
    #: an understood event, an erasure, what is wrong with it, or None: it is misrouted
    content: Event | Erasure | EventError | None
    #: what ``Customer.applied`` calls the topic partition that it was first read of, or the
    #: customer whose record sent it on; and its place among the records of this source: these come
    #: in rising order
    source: str
    number: int
    #: how it came when a merged customer's record sent it on
    forwarded: ForwardedRecord | None

    def __init__(
        self,
        topic: str,
        record: InputRecord,
        is_own: bool,
        content: Event | Erasure | EventError | None,
        source: str,
        number: int,
        forwarded: ForwardedRecord | None = None,
    ) -> None:
        self.topic = topic
        self.record = record
        self.is_own = is_own
        self.content = content
        self.source = source
        self.number = number
        self.forwarded = forwarded

    @property
    def occurred_ms(self) -> int | None:
        """Up to which event time this record shows the partition to be read; None: it does not.

        A record that came by way of another partition says nothing of how far this one was read.
        """
        content = self.content
        return content.occurred_ms if self.is_own and type(content) is Event else None


class RecordHandler:
    """Decodes records and applies them to the customers of one partition.

    Used by the partition's processor, after the timers before a record have fired. Adds to the
    commit unit and raises nothing for a record that is wrong: it becomes a dead letter.
    """

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
        logical: Mapping[str, str],
        largest_guest_bytes: int,
    ) -> None:
        """``logical``: names of topics by those on the broker; ``largest_guest_bytes``: what of a
        merged customer's record may travel.
        """
        self._partition: Final = partition
        self._engine: Final = engine
        self._customers: Final = customers
        self._misrouted: Final = misrouted
        self._shadow: Final = shadow
        self._read_by_schema: Final = read_by_schema
        self._max_skew_ms: Final = max_skew_ms
        self._logical: Final = logical
        self._largest_guest: Final = largest_guest_bytes
        #: what ``send_on`` is called for: the unit, the event being handled, and now
        self._sending_on: tuple[CommitUnit, DecodedRecord, int] | None = None

    def decode(self, topic: str, record: InputRecord) -> DecodedRecord:
        """Understand a record; what is wrong with it is in its content."""
        if isinstance(record, ForwardedRecord):
            original = record.original
            topic = self._logical[original.topic]
            content = self._content(topic, original)
            return DecodedRecord(
                topic, original, False, content, record.source, record.number, record
            )
        offset = record.offset
        if record.partition != self._partition:
            source = f"{topic}/{record.partition}"
            return DecodedRecord(topic, record, False, self._content(topic, record), source, offset)
        is_misrouted = self._misrouted.is_next(topic, offset)
        own = None if is_misrouted else self._content(topic, record)
        return DecodedRecord(topic, record, True, own, topic, offset)

    def _content(self, topic: str, record: InputRecord) -> Event | Erasure | EventError:
        try:
            return decode_record(
                topic,
                record.partition,
                record.offset,
                record.key,
                record.value,
                record.headers,
                self._read_by_schema,
            )
        except EventError as exc:
            return exc.detached()

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
        return isinstance(content, Erasure) and content.customer_id in unit.records_per_customer

    def _handle_event(
        self, unit: CommitUnit, decoded: DecodedRecord, event: Event, instant: Instant
    ) -> RecordOutcome:
        if event.traceparent is not None:
            unit.traces.append(event.traceparent)
        forwarded = decoded.forwarded
        customer_id = event.customer_id if forwarded is None else (forwarded.key or b"").decode()
        customer = self._customers.get(customer_id)
        source, number = decoded.source, decoded.number
        if customer.applied.get(source, -1) >= number:
            return RecordOutcome.SKIPPED
        if forwarded is not None and forwarded.timestamp <= customer.erased_ms:
            return RecordOutcome.SKIPPED
        if event.occurred_ms - instant.now_ms > self._max_skew_ms:
            unit.skewed += 1
        is_merge = event.type == MERGE and event.topic == PROFILES
        member = customer
        if is_merge or customer.merged_into is not None:
            member = self._engine.member_of(customer, instant.now_ms)
        if self._shadow is not None and not is_merge:
            self._shadow.see([member])
            self._shadow.handle(event, instant, member.customer_id)
        try:
            if is_merge or member.merged_into is not None:
                require_room(decoded.record)
            self._sending_on = unit, decoded, instant.now_ms
            handled = self._engine.handle(
                event,
                instant.now_ms,
                instant.watermark_ms,
                is_current=instant.is_current,
                customer_id=customer_id,
                guest=_guest_of(forwarded),
                arrived_ms=_arrived_ms(decoded.record, instant.now_ms) if is_merge else None,
            )
        except EventError as exc:
            return self.reject(unit, decoded.topic, decoded.record, exc.detached())
        if handled is Handled.UNKNOWN_TYPE:
            return RecordOutcome.UNKNOWN
        if forwarded is None:
            customer.applied[source] = number
        else:
            note_taken(customer.applied, source, number)
        if self._shadow is not None and is_merge:
            self._shadow.forget_merged(customer_id, event)
        if member is not customer:
            self._customers.changed(customer)
        if handled is Handled.APPLIED:
            if event.topic == ENGAGEMENT:
                unit.note_list_health(event, self._engine.rules.channels)
            elif event.topic == PROFILES:
                unit.note_unknown_channels(event, self._engine.rules.feedback)
            if is_merge:
                self._customers.changed(customer)
            return RecordOutcome.APPLIED
        self._customers.changed(customer)
        if handled is Handled.MACHINE_OPEN:
            return RecordOutcome.MACHINE_OPEN
        if handled is Handled.FORWARDED:
            return RecordOutcome.FORWARDED
        return RecordOutcome.DUPLICATE

    def send_on(self, forward: Forward) -> None:
        """Put what the record of a merged customer sends on into the unit: the event being handled,
        with the record itself when this is its merge. Called by the engine.
        """
        assert self._sending_on is not None
        unit, decoded, now_ms = self._sending_on
        applied = self._customers.get(forward.customer_id).applied
        guest = forward.guest
        record = wrap_forwarded(
            decoded.record,
            sender=forward.customer_id,
            into=forward.into,
            number=number_of_next(applied, now_ms),
            guest=None if guest is None else self._customers.encoded(guest, self._largest_guest),
        )
        unit.add_sent_on(SentOn(forward.customer_id, record))

    def _erase(self, decoded: DecodedRecord, erasure: Erasure) -> RecordOutcome:
        customer = self._customers.get(erasure.customer_id)
        source, offset = decoded.source, decoded.record.offset
        if customer.applied.get(source, -1) >= offset:
            return RecordOutcome.SKIPPED
        customer.applied[source] = offset
        customer.erased_ms = max(customer.erased_ms, decoded.record.timestamp)
        self._engine.erase(erasure.customer_id)
        if self._shadow is not None:
            self._shadow.erase(erasure.customer_id)
        return RecordOutcome.ERASED


def _guest_of(forwarded: ForwardedRecord | None) -> Customer | None:
    """The record that travels with the event. Raises InfrastructureError: it cannot be read."""
    if forwarded is None or forwarded.guest is None:
        return None
    return records.decode(forwarded.guest)


def _arrived_ms(record: InputRecord, now_ms: int) -> int:
    """When the record was published: in the same order wherever two are compared, unlike when they
    are read.
    """
    return min(record.timestamp, now_ms) if record.timestamp > 0 else now_ms
