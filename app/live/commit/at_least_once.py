"""A commit unit made durable at least once: every effect, in one numbered order.

    1  outboxes filled, records encoded
    2  changelog produced
    3  changelog acknowledged
    4  dispatch, decisions, outcomes, dead letters and rerouted records produced
    5  those acknowledged
    6  records, timer index and changelog offset written to disk, in one write
    7  source offsets released for commit

A crash before 3 has ended leaves the unit undone, and it is done again from the same input. After
that the changelog has the records, with their outboxes: the replayed events are skipped, and what
the outboxes hold is sent (again), under the same request ids. What the changelog has and may not
have been sent is told apart by the marker that each unit writes for the ones before it
(``EMITTED_KEY``): a recovery lists the entries after the last marker.
"""

from typing import Final

from app.live.commit import outbox
from app.live.commit.committer import Hook, ignore_hook
from app.live.commit.deliveries import PendingDeliveries, Producer
from app.live.commit.outbox import OutputRecord
from app.live.commit.output_records import OutputTopics
from app.live.commit.unit import CommitUnit
from app.live.input.progress import InputProgress
from tables.customers import PartitionCustomers
from tables.layout import EMITTED_KEY, pack_offset
from tables.partition import PartitionStore


class AtLeastOnce:
    """Implements ``app.live.commit.committer.Committer``."""

    def __init__(
        self,
        producer: Producer,
        intake: InputProgress,
        outputs: OutputTopics,
        hook: Hook = ignore_hook,
    ) -> None:
        self.producer: Final = producer
        self.intake: Final = intake
        self.outputs: Final = outputs
        self.hook: Final = hook

    def lane(
        self, partition: int, customers: PartitionCustomers, store: PartitionStore
    ) -> "AtLeastOnceLane":
        return AtLeastOnceLane(self, partition, customers, store)


class AtLeastOnceLane:
    """Implements ``app.live.commit.committer.PartitionCommitter``.

    Up to the changelog offset ``_emitted_offset`` outboxes are known to be on Kafka.
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
        self.is_owed = False

    async def seal(self) -> None:
        await self._apply(CommitUnit(now_ms=0), is_sealing=True)

    async def apply(self, unit: CommitUnit) -> None:
        await self._apply(unit)

    async def _apply(self, unit: CommitUnit, *, is_sealing: bool = False) -> None:
        hook, customers, store = self._shared.hook, self._customers, self._store
        hook("before 1")
        said = self._fill_outboxes(unit)
        changes = customers.changes()
        hook("after 1")
        hook("before 2")
        changelog = PendingDeliveries(self._shared.producer)
        topic, partition = self._shared.outputs.changelog, self._partition
        if self.is_owed and (changes or is_sealing):
            changelog.send(topic, partition, EMITTED_KEY, pack_offset(self._emitted_offset))
        for change in changes:
            changelog.send(topic, partition, change.customer_id, change.value)
        hook("after 2")
        hook("before 3")
        await changelog.wait()
        hook("after 3")
        hook("before 4")
        outputs = PendingDeliveries(self._shared.producer)
        for record in said:
            outputs.send(*self._shared.outputs.said(record, partition))
        for other in self._shared.outputs.beside(unit, partition):
            outputs.send(*other)
        hook("after 4")
        hook("before 5")
        await outputs.wait()
        hook("after 5")
        hook("before 6")
        if changelog.sent or unit.resend:
            offset = max(changelog.last_offset, store.progress.offset)
            store.write(changes, offset, clear_unsent=bool(unit.resend))
            self.is_owed = bool(said)
            self._emitted_offset = max(changelog.last_offset, self._emitted_offset)
        customers.reset()
        hook("after 6")
        hook("before 7")
        self._shared.intake.unit_done(partition, unit.taken, unit.positions)
        hook("after 7")

    def _fill_outboxes(self, unit: CommitUnit) -> list[OutputRecord]:
        """All that is to be sent; what the unit says is in the outboxes then."""
        customers = self._customers
        said = [
            outbox.of_line(customer_id, line)
            for customer_id in unit.resend
            for line in customers.get(customer_id).outbox
        ]
        customers.empty_outboxes()
        for record in outbox.said(unit):
            customers.get(record.customer_id).outbox.append(outbox.line_of(record))
            said.append(record)
        return said
