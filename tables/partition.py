"""The database of one partition of the customers table: records, timer index, progress.

Everything that one commit unit or one stretch of the changelog changes goes in with one atomic
write, the changelog offset with it, so that after a crash the rest is read from the changelog from
exactly that offset on. The write-ahead log is on and not synced: it survives the process, and what
a machine loses is a suffix of whole writes, which the changelog has.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import rocksdict
from rocksdict import Rdict, RdictIter, WriteBatch

from app.core.errors import InfrastructureError
from tables.layout import (
    CUSTOMER,
    EMITTED_KEY,
    NO_HEAD,
    PROGRESS_KEY,
    TIMER,
    TOMBSTONE,
    UNSENT,
    Head,
    Progress,
    head_of,
    index_key,
    pack_progress,
    timer_key,
    timer_of,
    unpack_offset,
    unpack_progress,
    unsent_id,
    unsent_key,
)

_MIB: Final = 1 << 20
_TIMER_END: Final = b"T}"
_UNSENT_END: Final = b"U}"


class Change(NamedTuple):
    """A customer's entry replaced: what the indexes had, and what the changelog has now.

    ``value`` is None when nothing is left of the customer; ``old`` when there was no record.
    """

    customer_id: bytes
    old: Head | None
    new: Head
    value: bytes | None


class ChangelogEntry(Protocol):
    """A record of the changelog topic."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class PartitionStore:
    """Owns the database at ``path``. Not shared between threads or tasks of two partitions."""

    def __init__(self, path: Path, cache: "rocksdict.Cache | None" = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = Rdict(str(path), options=_options(cache))
        except Exception as exc:
            raise InfrastructureError(
                f"the database of a partition cannot be opened: {exc}; is another worker using"
                f" {path}? A broken one can be deleted: the changelog has everything"
            ) from exc
        self._path = path
        self.progress = unpack_progress(self._db.get(PROGRESS_KEY))

    def __str__(self) -> str:
        return str(self._path)

    def close(self) -> None:
        """Release the files; nothing else may be called after it."""
        self._db.close()

    def get(self, customer_id: bytes) -> bytes | None:
        """The customer's entry (tables/layout.py), None for one not known."""
        value: bytes | None = self._db.get(CUSTOMER + customer_id)
        return value

    def timers_from(self, due_ms: int) -> Iterator[tuple[int, str]]:
        """(due time, customer id) of every customer with a timer at or after it, in order.

        Sees the database as it is at the first step.
        """
        entries: RdictIter = self._db.iter()
        entries.seek(timer_key(due_ms, b""))
        while entries.valid():
            key = entries.key()
            if not key.startswith(TIMER):
                return
            yield timer_of(key)
            entries.next()

    def tombstones(self, until_ms: int, limit: int) -> list[str]:
        """Up to ``limit`` erased customers whose tombstones ended by then, in order."""
        ids: list[str] = []
        entries: RdictIter = self._db.iter()
        entries.seek(TOMBSTONE)
        while len(ids) < limit and entries.valid():
            key = entries.key()
            if not key.startswith(TOMBSTONE) or timer_of(key)[0] > until_ms:
                break
            ids.append(timer_of(key)[1])
            entries.next()
        return ids

    def compact(self) -> None:
        """Rewrite the files without what was overwritten. May be called in a thread."""
        self._db.flush()
        self._db.compact_range(None, None)

    def unsent(self) -> list[str]:
        """Customers whose outbox may not be on Kafka yet, in changelog order, each once."""
        ids: dict[str, None] = {}
        entries: RdictIter = self._db.iter()
        entries.seek(UNSENT)
        while entries.valid():
            key = entries.key()
            if not key.startswith(UNSENT):
                break
            ids[unsent_id(key)] = None
            entries.next()
        return list(ids)

    def write(self, changes: Iterable[Change], offset: int, *, clear_unsent: bool = False) -> None:
        """Apply one commit unit whose last changelog entry is at ``offset``, atomically."""
        batch = WriteBatch(raw_mode=True)
        customers, pending = self._put_changes(batch, changes)
        if clear_unsent:
            batch.delete_range(UNSENT, _UNSENT_END)
        self._commit(batch, Progress(offset, customers, pending))

    def apply(self, entries: Iterable[ChangelogEntry], offset: int) -> None:
        """Apply a stretch of the changelog that ends at ``offset``; again does no harm."""
        latest: dict[bytes, tuple[int, bytes | None]] = {}
        emitted: int | None = None
        for entry in entries:
            key = entry.key
            if key == EMITTED_KEY:
                if entry.value is not None:
                    emitted = unpack_offset(entry.value)
            elif key is not None:
                latest[key] = (entry.offset, entry.value)
        olds = self._db.get([CUSTOMER + key for key in latest]) if latest else []
        batch = WriteBatch(raw_mode=True)
        changes = []
        for (key, (at, value)), old in zip(latest.items(), olds, strict=True):
            head = NO_HEAD if value is None else head_of(value)
            changes.append(Change(key, None if old is None else head_of(old), head, value))
            if head.has_outbox and (emitted is None or at > emitted):
                batch.put(unsent_key(at, key), b"")
        customers, pending = self._put_changes(batch, changes)
        if emitted is not None:
            batch.delete_range(UNSENT, unsent_key(emitted + 1, b""))
        self._commit(batch, Progress(max(offset, self.progress.offset), customers, pending))

    def _put_changes(self, batch: WriteBatch, changes: Iterable[Change]) -> tuple[int, int]:
        """Add the changes to the batch; returns how many customers and pending steps there are."""
        _, customers, pending = self.progress
        put, delete = batch.put, batch.delete
        for customer_id, old, new, value in changes:
            if value is not None:
                put(CUSTOMER + customer_id, value)
                if not new.is_erased:
                    customers += 1
                    pending += new.pending
            elif old is not None:
                delete(CUSTOMER + customer_id)
            if old is not None and not old.is_erased:
                customers -= 1
                pending -= old.pending
            was = old or NO_HEAD
            if was.next_due_ms != new.next_due_ms or was.is_erased != new.is_erased:
                old_key, new_key = index_key(was, customer_id), index_key(new, customer_id)
                if old_key is not None:
                    delete(old_key)
                if new_key is not None:
                    put(new_key, b"")
        return customers, pending

    def _commit(self, batch: WriteBatch, progress: Progress) -> None:
        batch.put(PROGRESS_KEY, pack_progress(progress))
        try:
            self._db.write(batch)
        except Exception as exc:
            raise InfrastructureError(
                f"the database of a partition refused a write: {exc}"
            ) from exc
        self.progress = progress


def shared_cache() -> "rocksdict.Cache":
    """One block cache for all partitions of a worker, so that memory does not grow with them."""
    return rocksdict.Cache(64 * _MIB)


def _options(cache: "rocksdict.Cache | None") -> "rocksdict.Options":
    """Small values, point lookups, bounded memory: 16 MiB of memtables a partition at most."""
    table = rocksdict.BlockBasedOptions()
    table.set_block_cache(cache or rocksdict.Cache(8 * _MIB))
    table.set_block_size(8 * 1024)
    table.set_bloom_filter(10, False)
    table.set_cache_index_and_filter_blocks(True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(True)
    table.set_format_version(5)
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(8 * _MIB)
    options.set_max_write_buffer_number(2)
    options.set_max_open_files(256)
    options.set_compression_type(rocksdict.DBCompressionType.lz4())
    options.set_wal_recovery_mode(rocksdict.DBRecoveryMode.point_in_time())
    options.set_keep_log_file_num(2)
    options.set_max_log_file_size(_MIB)
    options.set_max_background_jobs(2)
    return options
