"""Making commit units durable: what a lane needs of it, whatever the guarantee.

``app/live/commit/at_least_once.py`` and ``app/live/commit/exactly_once.py`` each list their effects
in a numbered order.
"""

from collections.abc import Callable
from typing import Protocol

from app.live.commit.unit import CommitUnit
from tables.customers import PartitionCustomers
from tables.partition import PartitionStore

#: Called with "before N" and "after N" around every effect, in whatever thread it happens.
Hook = Callable[[str], None]


class PartitionCommitter(Protocol):
    """Makes the units of one partition durable, one after the other."""

    @property
    def is_owed(self) -> bool:
        """The changelog does not say yet that what it has in outboxes is on Kafka."""

    async def apply(self, unit: CommitUnit) -> None:
        """Make the unit durable. Raises InfrastructureError, with nothing released for commit."""

    async def seal(self) -> None:
        """Say in the changelog that everything so far is sent, so that no recovery repeats it."""


class Committer(Protocol):
    """Makes the units of one worker durable. Those of different partitions may overlap."""

    def lane(
        self, partition: int, customers: PartitionCustomers, store: PartitionStore
    ) -> PartitionCommitter:
        """For a partition, as long as this worker has it."""


def ignore_hook(_: str) -> None:
    """Nobody is watching."""
