"""The customers table's store: where Faust meets the databases of the partitions.

Faust assigns partitions, replays the changelog and keeps standbys; this store opens and closes the
databases and applies what is replayed. Nothing is read or written through Faust's table mapping:
records, index and changelog are one commit unit, which a mapping cannot say.

A changelog message is a record batch (the transport hands over whole fetches), and its offset is
that of the last entry.
"""

import shutil
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from faust.stores import STORES
from faust.stores.base import Store
from faust.types import TP

from app.core.errors import InfrastructureError
from tables import records
from tables.layout import HEAD_BYTES
from tables.opening import shared_cache
from tables.partition import PartitionStore

#: ``app.Table(..., store=STORE_URL)`` uses this store.
STORE_URL: Final = "customers://"
TABLE_NAME: Final = "customers"
#: Customers whose records are looked at for what was read.
_SAMPLE: Final = 200

OnRecovered = Callable[[set[int]], Awaitable[None]]
#: called before a recovery, with the end of each changelog partition
OnEndsKnown = Callable[[dict[Any, int]], Awaitable[None]]
OnFailure = Callable[[BaseException], None]
#: called with how many changelog entries were applied, and whether to an active partition
OnApplied = Callable[[int, bool], None]


class CustomersStore(Store):  # type: ignore[misc]
    """One ``PartitionStore`` per assigned partition, active or standby.

    ``on_ends_known`` is called before a recovery and may stop it by raising; ``on_recovered`` gets
    the partitions that are active and up to date; ``on_failure`` gets what
    goes wrong in places where Faust would only log it and carry on; ``on_applied`` counts what is
    read of the changelog.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._partitions: dict[int, PartitionStore] = {}
        self._cache = shared_cache()
        #: active and recovered: written by commit units, no more from the changelog
        self._working: set[int] = set()
        self.on_applied: OnApplied = _ignore_count
        self.on_recovered: OnRecovered = _ignore_recovered
        self.on_ends_known: OnEndsKnown = _ignore_recovered
        self.on_failure: OnFailure = _ignore

    def partition(self, number: int) -> PartitionStore:
        """The partition's database, opened when it is not open yet."""
        store = self._partitions.get(number)
        if store is None:
            store = PartitionStore(self._path(number), self._cache, _machine_ms)
            self._partitions[number] = store
        return store

    def applied(self, number: int) -> dict[str, int]:
        """By source (``Customer.applied``), the largest offset that records of a few customers of
        the partition contain: no more than what was read of it.
        """
        largest: dict[str, int] = {}
        for _, value in self.partition(number).some(_SAMPLE):
            for source, offset in records.decode(value, HEAD_BYTES).applied.items():
                largest[source] = max(offset, largest.get(source, 0))
        return largest

    def discard(self, number: int) -> None:
        """Throw the partition's database away; the next use makes an empty one."""
        store = self._partitions.pop(number, None)
        if store is not None:
            store.close()
        shutil.rmtree(self._path(number), ignore_errors=True)

    def _path(self, number: int) -> Path:
        tables: Path = self.app.conf.tabledir
        return tables / f"{self.table_name}-{number}"

    def persisted_offset(self, tp: TP) -> int | None:
        """The last changelog offset that the database contains."""
        offset = self.partition(tp.partition).progress.offset
        return None if offset < 0 else offset

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        """Nothing: the offset is written together with what it stands for."""

    async def need_active_standby_for(self, tp: TP) -> bool:
        """Always: databases are not shared between workers."""
        return True

    def apply_changelog_batch(
        self,
        batch: Iterable[Any],
        to_key: Callable[[Any], Any],
        to_value: Callable[[Any], Any],
    ) -> None:
        """Apply batches of the changelog. Batches of partitions that are neither recovered nor
        followed any more, still under way when the assignment changes, are left out.

        Faust logs an exception from here, takes the offset as applied and goes on; so it is
        reported first.
        """
        actives = self.app.assignor.assigned_actives()
        try:
            for event in batch:
                message = event.message
                number = message.partition
                store = self._partitions.get(number)
                if store is None or number in self._working:
                    continue
                _require_all_before(message, store.progress.offset)
                is_active = message.tp in actives
                count = store.apply(message.value, message.offset, in_bulk=is_active)
                self.on_applied(count, is_active)
        except BaseException as exc:
            self.on_failure(exc)
            raise

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Close the databases of partitions that went to another worker."""
        self._working.clear()
        topic = self.table.changelog_topic_name
        kept = {tp.partition for tp in assigned if tp.topic == topic}
        for number in self._partitions.keys() - kept:
            self._partitions.pop(number).close()

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """The active partitions are as their changelog says: work can begin."""
        if self.app.is_rebalancing():
            return
        try:
            numbers = {tp.partition for tp in active_tps}
            for number in numbers:
                store = self.partition(number)
                store.settle()
                store.touch()
            self._working = numbers
            await self.on_recovered(numbers)
        except BaseException as exc:
            self.on_failure(exc)
            raise

    async def on_stop(self) -> None:
        """Close all databases."""
        while self._partitions:
            self._partitions.popitem()[1].close()

    async def backup_partition(
        self, tp: TP | int, flush: bool = True, purge: bool = False, keep: int = 1
    ) -> None:
        """Nothing: the changelog is the backup."""

    def restore_backup(self, tp: TP | int, latest: bool = True, backup_id: int = 0) -> None:
        """Nothing: the changelog is the backup."""

    def reset_state(self) -> None:
        """Nothing: a broken database is deleted by hand and rebuilt from the changelog."""

    def __getitem__(self, key: object) -> Any:
        raise KeyError(key)

    def __setitem__(self, key: object, value: object) -> None:
        raise TypeError("the customers table is written by commit units only")

    def __delitem__(self, key: object) -> None:
        raise TypeError("the customers table is written by commit units only")

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return sum(store.progress.customers for store in self._partitions.values())


def _require_all_before(message: Any, known: int) -> None:
    """Check that the batch before this one was applied. Raises InfrastructureError."""
    if message.value.after > known:
        raise InfrastructureError(
            f"changelog partition {message.partition}: got what comes after offset"
            f" {message.value.after} and ends at {message.offset}, expected what comes after"
            f" {known}: a batch was lost on the way; it is read again after a restart"
        )


def _ignore(_: object) -> None:
    """The default callback: does nothing."""


async def _ignore_recovered(_: object) -> None:
    """The default callback before and after a recovery: does nothing."""


def _ignore_count(_: int, __: bool) -> None:
    """The default callback of applied entries: does nothing."""


def _machine_ms() -> int:
    return time.time_ns() // 1_000_000


STORES.aliases["customers"] = "tables.store:CustomersStore"
