"""Commits a unit exactly once: every effect, in one numbered order.

    1  records encoded, without outboxes                                           each unit
    2  transaction begun                                                    each transaction
    3  changelog, dispatch, decisions, outcomes, dead letters, misrouted, sent on produced
    4  those acknowledged
    5  source offsets sent to the transaction, and with them the fence
    6  transaction committed
    7  records, timer index and changelog offset written to disk, in one write     each unit
    8  source records released from the input buffer

A crash before 6 has ended leaves nothing that a read-committed reader sees: the transaction is
aborted when this worker comes back, or by the broker when its time is up, and the units are done
again from the same input. After that everything is on Kafka, once, and what the disk lacks is read
from the changelog.

There is nothing to send again, so no outbox is kept; what at_least_once left in one is sent when
the partition is assigned, in a transaction that writes those records without it. A marker
(``EMITTED_KEY``) then says that all outboxes up to here are on Kafka, so that no recovery looks for
them again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from app.live.commit.committer import Hook, ignore_hook, needs_first_marker
from app.live.commit.outbox import OutputRecord, left_in_outboxes, records_of
from app.live.commit.output_records import OutputTopics
from app.live.commit.transactions import TransactionCoordinator, TransactionPart
from app.live.commit.unit import CommitUnit, SentOn
from app.live.input.progress import InputProgress
from tables.customers import PartitionCustomers
from tables.layout import EMITTED_KEY, pack_offset
from tables.partition import PartitionStore

Messages = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ExactlyOnce:
    """Makes committers that promise exactly once. One for a worker, used from its main loop.

    Implements ``app.live.commit.committer.Committer``.
    """

    transactions: TransactionCoordinator
    progress: InputProgress
    outputs: OutputTopics
    hook: Hook = ignore_hook

    def for_partition(
        self, partition: int, customers: PartitionCustomers, store: PartitionStore
    ) -> "ExactlyOncePartition":
        return ExactlyOncePartition(self, partition, customers, store)


class ExactlyOncePartition:
    """Commits the units of one assignment of a partition, for its processor, in the main loop.

    Implements ``PartitionCommitter``, under the membership that the assignment came with. Raises
    InfrastructureError when the transaction does not commit, or that is not known.
    """

    def __init__(
        self,
        shared: ExactlyOnce,
        partition: int,
        customers: PartitionCustomers,
        store: PartitionStore,
    ) -> None:
        self._shared = shared
        self._partition = partition
        self._customers = customers
        self._store = store
        self._membership = shared.progress.membership
        self._marked_offset = store.progress.offset
        self.has_unmarked_outboxes = self._marked_offset >= 0

    async def mark_outboxes_sent(self) -> None:
        await self.commit(CommitUnit(now_ms=0))

    async def commit(self, unit: CommitUnit) -> None:
        shared, customers, store = self._shared, self._customers, self._store
        hook, progress = shared.hook, shared.progress
        hook("before 1")
        positions = {
            progress.tp(logical, self._partition): position
            for logical, position in unit.positions.items()
        }
        part = TransactionPart(self._membership, positions or progress.fence(self._partition))
        self._put_outputs(part, unit)
        for customer_id in unit.resend:
            customer = customers.get(customer_id)
            if customer.outbox:
                customers.changed(customer)  # and is written without its outbox
        customers.empty_outboxes()
        changes = customers.changes()
        entries: Messages = [
            {"key": change.customer_id, "value": change.value} for change in changes
        ]
        if self.has_unmarked_outboxes or needs_first_marker(unit, store, changes):
            marked = max(0, self._marked_offset)
            entries.append({"key": EMITTED_KEY, "value": pack_offset(marked)})
        if entries:
            entries[-1]["callback"] = part.on_changelog
        part.add(shared.outputs.changelog, self._partition, entries)
        hook("after 1")
        await shared.transactions.commit(part)
        hook("before 7")
        if entries or unit.resend:
            offset = max(part.changelog_offset, store.progress.offset)
            store.write(changes, offset, clear_unsent=bool(unit.resend))
            self.has_unmarked_outboxes = False
        customers.reset()
        hook("after 7")
        hook("before 8")
        progress.unit_done(self._partition, unit.consumed, unit.positions)
        hook("after 8")

    def _put_outputs(self, part: TransactionPart, unit: CommitUnit) -> None:
        """Add all output of the unit to the part."""
        outputs, input_partition = self._shared.outputs, self._partition
        names = outputs.names
        by_topic: dict[str, list[OutputRecord]] = {}
        left = left_in_outboxes(unit, self._customers)
        made: Iterable[OutputRecord | SentOn] = chain(left, records_of(unit), unit.sent_on)
        for record in made:
            if isinstance(record, SentOn):
                part.others.append(outputs.producer_record(record, input_partition))
                continue
            by_topic.setdefault(names[record.topic], []).append(record)
        for topic, records in by_topic.items():
            if any(record.context is not None for record in records):
                # a batch takes no headers; all of them one by one, so that they stay in order
                part.others += [
                    outputs.producer_record(record, input_partition) for record in records
                ]
                continue
            messages: Messages = [
                {"key": record.customer_id.encode(), "value": record.value} for record in records
            ]
            if outputs.partitions[topic] != outputs.inputs:
                for each in messages:
                    each["partition"] = outputs.partition_of(topic, each["key"], input_partition)
            part.add(topic, input_partition, messages)
        part.others += outputs.side_records(unit, input_partition)
