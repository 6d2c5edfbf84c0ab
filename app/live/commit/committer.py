"""What a partition processor needs of a delivery guarantee: making commit units durable.

``app/live/commit/at_least_once.py`` and ``app/live/commit/exactly_once.py`` each list their effects
in a numbered order.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from app.live.commit.unit import CommitUnit
from tables.customers import PartitionCustomers
from tables.partition import PartitionStore

#: Called with "before N" and "after N" around every effect, in the thread that makes the effect.
Hook = Callable[[str], None]


class PartitionCommitter(Protocol):
    """Makes the commit units of one partition durable, one after the other.

    Used by the partition's processor, in the worker's main loop.
    """

    @property
    def has_unmarked_outboxes(self) -> bool:
        """Whether outboxes are on Kafka that the changelog does not mark as sent yet."""

    async def commit(self, unit: CommitUnit) -> None:
        """Make the unit durable. Raises InfrastructureError, with nothing released for commit."""

    async def mark_outboxes_sent(self) -> None:
        """Mark all outboxes so far as sent in the changelog, so that no recovery repeats them."""


class Committer(Protocol):
    """Makes the units of one worker durable. Those of different partitions may overlap."""

    def for_partition(
        self, partition: int, customers: PartitionCustomers, store: PartitionStore
    ) -> PartitionCommitter:
        """Return the committer of a partition, for as long as this worker is assigned it."""


def needs_first_marker(unit: CommitUnit, store: PartitionStore, changes: Sequence[object]) -> bool:
    """Whether a marker (``EMITTED_KEY``) must be the first entry of the changelog.

    So it is where input is committed that changed no record: an empty changelog and committed input
    together mean lost state.
    """
    return store.progress.offset < 0 and bool(unit.positions) and not changes


def ignore_hook(_: str) -> None:
    """Do nothing around effects."""
