"""The database of one partition of the customers table: records, timer index, progress.

Everything that one commit unit or one batch of the changelog changes goes in with one atomic
write, the changelog offset with it, so that after a crash the rest is read from the changelog from
exactly that offset on. The write-ahead log is on and not synced: it survives the process, and what
a machine loses is a suffix of whole writes, which the changelog has.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice, takewhile
from pathlib import Path
from typing import Final, NamedTuple, Protocol
from weakref import WeakSet

import rocksdict
from rocksdict import Rdict, RdictIter, WriteBatch, WriteOptions

from app.core.errors import InfrastructureError
from tables.layout import (
    AS_OF_KEY,
    CUSTOMER,
    EMITTED_KEY,
    MERGED,
    PARKED,
    PROGRESS_KEY,
    RATES_KEY,
    TIMER,
    TOMBSTONE,
    UNSENT,
    Progress,
    has_outbox,
    pack_offset,
    pack_progress,
    put_changes,
    timer_key,
    timer_of,
    unpack_offset,
    unpack_progress,
    unsent_id,
    unsent_key,
)
from tables.opening import full, is_damage, is_full, mark_damaged, open_database

_UNSENT_END: Final = b"U}"
#: Up to so many entries a recovery writes as commit units do: to begin and to end a bulk load takes
#: two flushes and two files of options, which cost more than it saves.
BULK_ENTRIES: Final = 4_000
#: Saying it again is not worth a write before so much time has passed.
_TOUCH_MS: Final = 600_000


class Change(NamedTuple):
    """A customer's entry replaced: what the database has, and what the changelog has now.

    Of ``old`` the head is enough; None when there was no entry. ``value`` is None when nothing is
    left of the customer.
    """

    customer_id: bytes
    old: bytes | None
    value: bytes | None


class ChangelogEntry(Protocol):
    """A record of the changelog topic."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int: ...


class KeyScan:
    """Iterates over the keys with a prefix, as the database was when the scan began.

    Its iterator keeps the database's files locked, also after the database is closed; so the store
    closes every scan that is still referenced before it closes the database.
    """

    __slots__ = ("__weakref__", "_entries", "_failed", "_is_first", "_prefix")

    def __init__(
        self,
        database: Rdict,
        first: bytes,
        prefix: bytes,
        failed: Callable[[str, Exception], InfrastructureError],
    ) -> None:
        self._prefix = prefix
        self._failed = failed
        self._is_first = True
        try:
            self._entries: RdictIter | None = database.iter()
            self._entries.seek(first)
        except Exception as exc:
            raise failed("read", exc) from exc

    def __iter__(self) -> "KeyScan":
        return self

    def __next__(self) -> bytes:
        """The next key. Raises InfrastructureError when the database cannot be read."""
        entries = self._entries
        if entries is None:
            raise StopIteration
        try:
            if not self._is_first:
                entries.next()
            self._is_first = False
            key: bytes | None = entries.key()
            if key is None:  # the end, unless the status says otherwise
                entries.status()
            elif key.startswith(self._prefix):
                return key
        except Exception as exc:
            raise self._failed("read", exc) from exc
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Release the iterator; the scan yields nothing more."""
        self._entries = None


class PartitionStore:
    """Owns the database at ``path``. Not shared between threads or tasks of two partitions.

    Damage that is found raises InfrastructureError, and the next opening starts from nothing.
    """

    def __init__(
        self,
        path: Path,
        cache: "rocksdict.Cache | None" = None,
        now: Callable[[], int] = lambda: 0,
    ) -> None:
        """``now`` is the wall clock in epoch ms, for how old the files are."""
        self._now = now
        self._path = path
        self._db = open_database(path, cache, now())
        self._scans: WeakSet[KeyScan] = WeakSet()
        #: whether what was written last is not in the write-ahead log
        self._is_in_bulk = False
        #: changelog entries of the recovery so far
        self._recovered = 0
        self.progress = unpack_progress(self._read(PROGRESS_KEY))
        self._as_of_ms = unpack_offset(self._read(AS_OF_KEY) or bytes(8))

    def __str__(self) -> str:
        return str(self._path)

    def close(self) -> None:
        """Release the files and their lock; nothing else may be called after it.

        Raises InfrastructureError when what is in memory cannot be written; the files are released
        all the same.
        """
        try:
            self.settle()
        finally:
            for scan in list(self._scans):
                scan.close()
            self._db.close()

    def get(self, customer_id: bytes) -> bytes | None:
        """The customer's entry (tables/layout.py), None for one not known."""
        return self._read(CUSTOMER + customer_id)

    def get_many(self, customer_ids: list[bytes]) -> list[bytes | None]:
        """Their entries in one read, which costs less than one by one."""
        try:
            values: list[bytes | None] = self._db.get([CUSTOMER + each for each in customer_ids])
        except Exception as exc:
            raise self._failed("read", exc) from exc
        return values

    def _read(self, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self._db.get(key)
        except Exception as exc:
            raise self._failed("read", exc) from exc
        return value

    def files_bytes(self) -> int:
        """Size of the table files on disk; what is in memory and its log do not count."""
        return self._db.property_int_value("rocksdb.total-sst-files-size") or 0

    def _keys(self, first: bytes, prefix: bytes) -> KeyScan:
        """Scan the keys with this prefix from ``first`` on, as the database is now."""
        scan = KeyScan(self._db, first, prefix, self._failed)
        self._scans.add(scan)
        return scan

    def _failed(self, what: str, exc: Exception) -> InfrastructureError:
        """What to raise; damage is remembered for the next opening."""
        if is_full(exc):
            return full(self._path)
        if is_damage(exc):
            mark_damaged(self._path)
            return InfrastructureError(
                f"the database of a partition is damaged: {exc}; it is rebuilt from the changelog"
                " at the next start"
            )
        return InfrastructureError(f"the database of a partition refused a {what}: {exc}")

    def timers_from(self, due_ms: int) -> Iterator[tuple[int, str]]:
        """(due time, customer id) of every customer with a timer at or after it, in order.

        Sees the database as it is now, and ends early when the store is closed.
        """
        return map(timer_of, self._keys(timer_key(due_ms, b""), TIMER))

    def tombstones(self, until_ms: int, limit: int) -> list[str]:
        """Up to ``limit`` erased customers whose tombstones ended by then, in order."""
        ended = map(timer_of, self._keys(TOMBSTONE, TOMBSTONE))
        return [each for _, each in islice(takewhile(lambda it: it[0] <= until_ms, ended), limit)]

    def merged(self, until_ms: int, limit: int) -> list[str]:
        """Up to ``limit`` merged customers for whom nothing is sent on after that, in order."""
        ends = map(timer_of, self._keys(MERGED, MERGED))
        return [each for _, each in islice(takewhile(lambda it: it[0] <= until_ms, ends), limit)]

    def parked(self, limit: int) -> list[str]:
        """Up to ``limit`` customers with a step that waits until the partition is current."""
        keys = islice(self._keys(PARKED, PARKED), limit)
        return [key[len(PARKED) :].decode() for key in keys]

    def some(self, limit: int, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield id and entry of up to ``limit`` customers whose ids, as bytes, are larger than
        ``after``, in order.
        """
        keys = self._keys(CUSTOMER + after + b"\0" if after else CUSTOMER, CUSTOMER)
        for key in islice(keys, limit):
            value = None if key == CUSTOMER + RATES_KEY else self._read(key)
            if value is not None:
                yield key[len(CUSTOMER) :], value

    def compact(self) -> None:
        """Rewrite the files without what was overwritten. May be called in a thread."""
        self._db.flush()
        self._db.compact_range(None, None)

    def unsent(self) -> list[str]:
        """Customers whose outbox may not be on Kafka yet, in changelog order, each once."""
        return list(dict.fromkeys(map(unsent_id, self._keys(UNSENT, UNSENT))))

    def write(self, changes: Iterable[Change], offset: int, *, clear_unsent: bool = False) -> None:
        """Apply one commit unit whose last changelog entry is at ``offset``, atomically."""
        self.settle()
        batch = WriteBatch(raw_mode=True)
        customers, pending = put_changes(batch, changes, self.progress)
        if clear_unsent:
            batch.delete_range(UNSENT, _UNSENT_END)
        self._commit(batch, Progress(offset, customers, pending), self._now())

    def apply(
        self, entries: Iterable[ChangelogEntry], offset: int, *, in_bulk: bool = False
    ) -> int:
        """Apply a batch of the changelog that ends at ``offset``; how many entries were new.

        What the database has already is left out. ``in_bulk`` for a recovery: a long one writes
        less, and a crash takes it back to an earlier point of the changelog.
        """
        latest: dict[bytes, ChangelogEntry] = {}
        emitted: int | None = None
        count, known, as_of_ms = 0, self.progress.offset, self._as_of_ms
        if offset <= known:
            return 0
        for entry in entries:
            if entry.offset <= known:
                continue
            count += 1
            if entry.timestamp > as_of_ms:
                as_of_ms = entry.timestamp
            key = entry.key
            if key == EMITTED_KEY:
                if entry.value is not None:
                    emitted = unpack_offset(entry.value)
            elif key is not None:
                latest[key] = entry
        if in_bulk:
            self._recovered += count
            if self._recovered > BULK_ENTRIES and not self._is_in_bulk:
                self._start_bulk()
        olds = self.get_many(list(latest)) if latest else []
        batch = WriteBatch(raw_mode=True)
        values = [entry.value for entry in latest.values()]
        for (key, entry), value in zip(latest.items(), values, strict=True):
            is_unsent = value is not None and has_outbox(value)
            if is_unsent and (emitted is None or entry.offset > emitted):
                batch.put(unsent_key(entry.offset, key), b"")
        changes = zip(latest, olds, values, strict=True)
        customers, pending = put_changes(batch, changes, self.progress)
        if emitted is not None:
            batch.delete_range(UNSENT, unsent_key(emitted + 1, b""))
        self._commit(batch, Progress(offset, customers, pending), as_of_ms)
        return count

    def settle(self) -> None:
        """End a recovery: all of a bulk load is on disk. Does nothing without one."""
        self._recovered = 0
        if self._is_in_bulk:
            try:
                self._db.flush()
                self._set_bulk(False)
            except Exception as exc:
                raise self._failed("write", exc) from exc

    def touch(self) -> None:
        """Note that the database is up to date with its changelog, as of now."""
        now_ms = self._now()
        if now_ms - self._as_of_ms > _TOUCH_MS:
            self._commit(WriteBatch(raw_mode=True), self.progress, now_ms)

    def _start_bulk(self) -> None:
        self._db.flush()
        self._set_bulk(True)

    def _set_bulk(self, is_on: bool) -> None:
        """Without the write-ahead log, and leaving what was written in as many files as it was."""
        options = WriteOptions()
        options.disable_wal = is_on
        self._db.set_write_options(options)
        self._db.set_options({"disable_auto_compactions": str(is_on).lower()})
        self._is_in_bulk = is_on

    def _commit(self, batch: WriteBatch, progress: Progress, as_of_ms: int) -> None:
        batch.put(PROGRESS_KEY, pack_progress(progress))
        batch.put(AS_OF_KEY, pack_offset(as_of_ms))
        try:
            self._db.write(batch)
        except Exception as exc:
            raise self._failed("write", exc) from exc
        self.progress = progress
        self._as_of_ms = as_of_ms
