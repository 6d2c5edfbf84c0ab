"""Commits a unit at least once: every effect, in one numbered order.

    1  outboxes filled, records encoded; what a customer's outbox has no room for is produced and
       acknowledged
    2  changelog produced
    3  changelog acknowledged
    4  dispatch, decisions, outcomes, dead letters, misrouted records and what merged customers
       send on produced
    5  those acknowledged
    6  records, timer index and changelog offset written to disk, in one write
    7  source offsets released for commit

A crash before 3 has ended leaves the unit undone, and it is done again from the same input: what
had no room (the changelog takes no longer record) is then decided and produced again. After
that the changelog has the records, with their outboxes: the replayed events are skipped, and what
the outboxes hold is produced (again), under the same request ids. Which outboxes are known to be on
Kafka is recorded by the marker that each unit writes for the ones before it (``EMITTED_KEY``): a
recovery lists the entries after the last marker.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Final

from app.live.commit.committer import Hook, ignore_hook, needs_first_marker
from app.live.commit.deliveries import PendingDeliveries, Producer
from app.live.commit.outbox import OutputRecord, encode_entry, left_in_outboxes, records_of
from app.live.commit.output_records import OutputTopics
from app.live.commit.unit import CommitUnit, SentOn
from app.live.input.progress import InputProgress
from tables.customers import PartitionCustomers
from tables.layout import EMITTED_KEY, pack_offset
from tables.partition import PartitionStore

#: Of output records in one customer's outbox: with the customer's record they are one changelog
#: record, which Kafka has to take.
OUTBOX_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class AtLeastOnce:
    """Makes committers that promise at least once. One for a worker, used from its main loop.

    Implements ``app.live.commit.committer.Committer``.
    """

    producer: Producer
    progress: InputProgress
    outputs: OutputTopics
    hook: Hook = ignore_hook
    #: of output records in one customer's outbox
    outbox_bytes: int = OUTBOX_BYTES

    def for_partition(
        self, partition: int, customers: PartitionCustomers, store: PartitionStore
    ) -> "AtLeastOncePartition":
        return AtLeastOncePartition(self, partition, customers, store)


class AtLeastOncePartition:
    """Commits the units of one assignment of a partition, for its processor, in the main loop.

    Implements ``app.live.commit.committer.PartitionCommitter``; raises InfrastructureError when
    Kafka or the disk fails. Outboxes up to the changelog offset ``_emitted_offset`` are on Kafka.
    """

    def __init__(
        self,
        shared: AtLeastOnce,
        partition: int,
        customers: PartitionCustomers,
        store: PartitionStore,
    ) -> None:
        self._shared = shared
        self._partition = partition
        self._customers = customers
        self._store = store
        self._emitted_offset = store.progress.offset
        self.has_unmarked_outboxes = False

    async def mark_outboxes_sent(self) -> None:
        await self._commit(CommitUnit(now_ms=0), is_marking=True)

    async def commit(self, unit: CommitUnit) -> None:
        await self._commit(unit)

    async def _commit(self, unit: CommitUnit, *, is_marking: bool = False) -> None:
        hook, customers, store = self._shared.hook, self._customers, self._store
        hook("before 1")
        records, surplus = self._fill_outboxes(unit)
        if surplus:
            await self._produce(surplus)
        changes = customers.changes()
        hook("after 1")
        hook("before 2")
        changelog = PendingDeliveries(self._shared.producer)
        topic, partition = self._shared.outputs.changelog, self._partition
        is_marked = self.has_unmarked_outboxes and (changes or is_marking)
        if is_marked or needs_first_marker(unit, store, changes):
            changelog.send(topic, partition, EMITTED_KEY, pack_offset(max(0, self._emitted_offset)))
        for change in changes:
            changelog.send(topic, partition, change.customer_id, change.value)
        hook("after 2")
        hook("before 3")
        await changelog.wait()
        hook("after 3")
        hook("before 4")
        outputs = PendingDeliveries(self._shared.producer)
        for record in records:
            outputs.send(*self._shared.outputs.producer_record(record, partition))
        for side_record in self._shared.outputs.side_records(unit, partition):
            outputs.send(*side_record)
        hook("after 4")
        hook("before 5")
        await outputs.wait()
        hook("after 5")
        hook("before 6")
        if changelog.sent or unit.resend:
            offset = max(changelog.last_offset, store.progress.offset)
            store.write(changes, offset, clear_unsent=bool(unit.resend))
            self.has_unmarked_outboxes = bool(records)
            self._emitted_offset = max(changelog.last_offset, self._emitted_offset)
        customers.reset()
        hook("after 6")
        hook("before 7")
        self._shared.progress.unit_done(partition, unit.consumed, unit.positions)
        hook("after 7")

    async def _produce(self, records: list[OutputRecord | SentOn]) -> None:
        outputs = PendingDeliveries(self._shared.producer)
        for record in records:
            outputs.send(*self._shared.outputs.producer_record(record, self._partition))
        await outputs.wait()

    def _fill_outboxes(
        self, unit: CommitUnit
    ) -> tuple[list[OutputRecord | SentOn], list[OutputRecord | SentOn]]:
        """Return the output records to produce, and those to produce before the changelog, which
        their customers' outboxes have no room for; the others of the unit are in these then.
        """
        customers = self._customers
        records = list(left_in_outboxes(unit, customers))
        customers.empty_outboxes()
        surplus: list[OutputRecord | SentOn] = []
        held_bytes: dict[str, int] = {}
        made: Iterable[OutputRecord | SentOn] = chain(records_of(unit), unit.sent_on)
        for record in made:
            entry = encode_entry(record)
            size = held_bytes.get(record.customer_id, 0) + len(entry)
            if size > self._shared.outbox_bytes:
                surplus.append(record)
                continue
            held_bytes[record.customer_id] = size
            customers.get(record.customer_id).outbox.append(entry)
            records.append(record)
        return records, surplus
