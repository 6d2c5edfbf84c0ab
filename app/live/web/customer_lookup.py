"""Explaining a customer of a running worker: which worker has the record, and what is in it."""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import orjson

from app.core.customer.codec import WithProfile
from app.explain.explain import explain
from app.explain.explanation import Explanation
from app.explain.narrowing import narrow, narrow_decisions
from app.kafka.partitioning import partition_for
from app.live.commit.output_records import OutputTopics
from app.live.customer_snapshot import CustomerSnapshot, OwnedElsewhere, Recovering
from app.live.faust_app import WorkerApp
from app.live.partition.assigned import AssignedPartitions
from app.live.web.recent_decisions import RecentDecisions, read_back
from app.settings.model import Settings

#: Readings of decisions that may wait for their turn; one runs at a time.
_MAX_WAITING: Final = 8
#: So many of a customer's newest decisions are read to find those of one trigger.
NARROWED_FROM: Final = 200


class LocatedCustomers:
    """Implements ``Partitions`` and ``SearchedPartitions`` for a worker; used in its event loop."""

    def __init__(
        self,
        settings: Settings,
        assigned: AssignedPartitions,
        app: WorkerApp,
        outputs: OutputTopics,
        input_partitions: int,
    ) -> None:
        self._settings: Final = settings
        self._assigned = assigned
        self._input_partitions = input_partitions
        self._app = app
        self._outputs = outputs

    def partition_of(self, customer_id: str) -> int:
        return partition_for(customer_id.encode(), self._input_partitions)

    def snapshot(self, partition: int, customer_id: str) -> CustomerSnapshot | None:
        return self._assigned.snapshot(partition, customer_id)

    def owner(self, partition: int) -> OwnedElsewhere | Recovering:
        return self._app.owner(partition)

    @property
    def numbers(self) -> list[int]:
        return sorted(self._assigned.partitions)

    @property
    def addresses(self) -> frozenset[str]:
        return self._assigned.rules.addresses

    def profiles_after(
        self, partition: int, customer_id: str, limit: int
    ) -> tuple[list[WithProfile], str | None] | None:
        return self._assigned.profiles_after(partition, customer_id, limit)

    def others(self) -> list[OwnedElsewhere | Recovering]:
        numbers = set(range(self._input_partitions)) - self._assigned.partitions
        return [self.owner(number) for number in sorted(numbers)]

    def read_decisions(self, customer_id: str, partition: int, wanted: int) -> RecentDecisions:
        """The customer's newest decisions; may be called in a thread."""
        outputs = self._outputs
        place = outputs.partition_of(outputs.names["decisions"], customer_id.encode(), partition)
        return read_back(self._settings, place, customer_id, wanted)


class Busy(NamedTuple):
    """Too many ask at once."""


class Unknown(NamedTuple):
    """The customer has no record."""


class NoSuchTrigger(NamedTuple):
    """The rules have other ones."""

    known: list[str]


Answer = Explanation | OwnedElsewhere | Recovering | Busy | Unknown | NoSuchTrigger


class Partitions(Protocol):
    """Where customers are."""

    def partition_of(self, customer_id: str) -> int:
        """The input partition of the customer's events."""

    def snapshot(self, partition: int, customer_id: str) -> CustomerSnapshot | None:
        """What this worker has; None when it does not work on the partition."""

    def owner(self, partition: int) -> OwnedElsewhere | Recovering:
        """The owner of a partition that this worker does not work on."""


#: (customer id, input partition, how many) -> decisions. Blocks; raises InfrastructureError.
ReadDecisions = Callable[[str, int, int], RecentDecisions]


class LiveExplanations:
    """Answers from the worker's event loop; decisions are read in a thread, one reading a time."""

    def __init__(self, partitions: Partitions, read_decisions: ReadDecisions) -> None:
        self._partitions = partitions
        self._read = read_decisions
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def explain(
        self,
        customer_id: str,
        recent: int,
        *,
        show_personal: bool,
        trigger: str | None = None,
        since_ms: int | None = None,
    ) -> Answer:
        """Where the customer stands; of one trigger alone (among the customer's newest
        ``NARROWED_FROM`` decisions), and from ``since_ms`` on.

        Raises InfrastructureError when Kafka gives no decisions. The record is looked at after the
        decisions: it never lacks what they have decided.
        """
        partition = self._partitions.partition_of(customer_id)
        snapshot = self._partitions.snapshot(partition, customer_id)
        if snapshot is None:
            return self._partitions.owner(partition)
        if snapshot.customer is None:
            return Unknown()
        if trigger is not None and trigger not in snapshot.rules.triggers:
            return NoSuchTrigger(sorted(snapshot.rules.triggers))
        if self._waiting >= _MAX_WAITING:
            return Busy()
        self._waiting += 1
        try:
            async with self._turn:
                wanted = recent if trigger is None else max(recent, NARROWED_FROM)
                tail = await asyncio.to_thread(self._read, customer_id, partition, wanted)
        finally:
            self._waiting -= 1
        snapshot = self._partitions.snapshot(partition, customer_id)
        if snapshot is None:
            return self._partitions.owner(partition)
        if snapshot.customer is None:
            return Unknown()
        decisions = [orjson.loads(line) for line in tail.lines]
        explanation = explain(
            snapshot.customer,
            snapshot.rules,
            snapshot.now_ms,
            narrow_decisions(decisions, trigger, since_ms),
            show_personal=show_personal,
            recent=recent,
            since_ms=tail.since_ms,
            waits_for=snapshot.waits_for,
        )
        return narrow(explanation, trigger, since_ms)
