"""The customers of one partition as the core sees them: records in memory over the database.

A record is decoded once per commit unit and is the same object until the unit ends. What the
database has of those used last stays in memory, as bytes: a record decoded is some fifty objects,
and to let go of them when they have left the processor's caches costs more than to decode it again.

The earliest due time is the smaller of two: the first entry of the timer index on disk whose
customer is not in memory, and the smallest of those in memory; so asking for it costs nothing, and
firing timers costs what is due, not what exists.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from app.core.customer.bound import bound_record, keep_within
from app.core.customer.codec import record_bytes
from app.core.customer.limits import MAX_RECORD_BYTES
from app.core.customer.record import Customer
from app.core.errors import InfrastructureError
from app.core.rules.rates import RateState
from app.core.time.instants import BEGINNING_OF_TIME_MS, END_OF_TIME_MS
from app.core.triggers.merging import FORWARD_MS
from tables import records
from tables.layout import (
    HEAD_BYTES,
    RATES_HEAD,
    RATES_KEY,
    Head,
    is_merged,
    pack_value,
    record_of,
    timer_due_ms,
)
from tables.partition import Change, PartitionStore

#: How much of what the database has is kept from one unit to the next, of a partition.
KEPT_BYTES: Final = 8 << 20
#: How long after an erasure events from before it may still be read again: between a crash and
#: the restart that reads what was not committed.
TOMBSTONE_MS: Final = 86_400_000


class PartitionCustomers:
    """Implements ``app.core.engine.Customers`` over one partition's database, for one unit a time.

    ``changes`` says what the unit did; ``reset`` starts the next unit, after the database was
    written.
    """

    def __init__(
        self,
        store: PartitionStore,
        belongs_here: Callable[[bytes], bool] = lambda _: True,
        now: Callable[[], int] = lambda: 0,
        *,
        kept_bytes: int = KEPT_BYTES,
        tombstone_ms: int = TOMBSTONE_MS,
    ) -> None:
        """``belongs_here`` is asked for the key of each record found in the database; ``now``,
        in epoch ms, when a customer is erased.
        """
        self._most_kept_bytes: Final = kept_bytes
        self._tombstone_ms: Final = tombstone_ms
        self._store = store
        self._belongs_here = belongs_here
        self._now = now
        #: called with the name of each part that a record too large for Kafka has lost
        self.on_shed: Callable[[str], None] = lambda part: None
        #: False: surely no customer of the partition has a parked step
        self._may_have_parked = bool(store.parked(1))
        #: None: to be looked up
        self._has_merged: bool | None = None
        self._floor_ms = BEGINNING_OF_TIME_MS
        #: entries as the database has them; the one used last is the last
        self._kept: dict[str, bytes] = {}
        self._kept_bytes = 0
        #: the same of those in memory; None for what the database does not have
        self._values: dict[str, bytes | None] = {}
        self._stored_rates = store.get(RATES_KEY)
        #: of the partition's send rates; what units change of it is written with them
        self.rate_state = (
            RateState()
            if self._stored_rates is None
            else records.decode_rates(record_of(self._stored_rates))
        )
        self.reset()

    def reset(self) -> None:
        """Begin the next unit: the database has everything that ``changes`` returned."""
        self._keep()
        #: those that were read ahead and are not in the database
        self._absent: set[str] = set()
        #: by customer id: the record, the entry that the database has, the due time now
        self._loaded: dict[str, Customer] = {}
        self._stored: dict[str, bytes | None] = {}
        self._due_ms: dict[str, int] = {}
        #: to be written; a customer that nothing is left of has None
        self._touched: dict[str, Customer | None] = {}
        #: erased and not seen again
        self._erased: set[str] = set()
        #: due time -> ids of those in memory, each of which counts while ``_due_ms`` says the same,
        #: and a heap of these times
        self._due_at: dict[int, list[str]] = {}
        self._times: list[int] = []
        self._timers: Iterator[tuple[int, str]] = self._store.timers_from(self._floor_ms)
        self._stored_ms, self._stored_id = next(self._timers, (END_OF_TIME_MS, ""))
        self._earliest_ms = self._floor_ms = self._stored_ms

    def _keep(self) -> None:
        """Keep what the unit has read and written, and let go of what was used longest ago."""
        kept, size = self._kept, self._kept_bytes
        for customer_id, value in self._values.items():
            size -= len(kept.pop(customer_id, b""))
            if value is not None:
                kept[customer_id] = value
                size += len(value)
        self._values = {}
        # Listed first: the way to a dictionary's first entry leads past all that were deleted.
        gone = []
        for customer_id, value in kept.items():
            if size <= self._most_kept_bytes:
                break
            size -= len(value)
            gone.append(customer_id)
        for customer_id in gone:
            del kept[customer_id]
        self._kept_bytes = size

    def read_ahead(self, keys: Iterable[bytes | None]) -> None:
        """Read what the database has of customers who are about to be asked for, all at once."""
        asked: dict[str, bytes] = {}
        for key in keys:
            if key:
                try:
                    asked[key.decode()] = key
                except UnicodeDecodeError:
                    continue
        self._read_ahead(asked)

    def _read_ahead(self, asked: dict[str, bytes]) -> None:
        """The same for customers by their ids and keys."""
        kept, stored = self._kept, self._stored
        missing = {
            customer_id: key
            for customer_id, key in asked.items()
            if customer_id not in kept and customer_id not in stored
        }
        if not missing:
            return
        values = self._store.get_many(list(missing.values()))
        for (customer_id, key), value in zip(missing.items(), values, strict=True):
            if value is None:
                self._absent.add(customer_id)
            elif self._belongs_here(key):
                kept[customer_id] = value
                self._kept_bytes += len(value)

    def get(self, customer_id: str) -> Customer:
        """The customer's record, a new one when there is none."""
        customer = self._loaded.get(customer_id)
        if customer is not None:
            return customer
        due_ms = END_OF_TIME_MS
        value = None if customer_id in self._stored else self._find(customer_id)
        if value is None:
            self._stored.setdefault(customer_id, None)
            customer = Customer(customer_id=customer_id)
        else:
            customer = records.decode(value, HEAD_BYTES)
            self._stored[customer_id] = value
            due_ms = timer_due_ms(value)
        self._loaded[customer_id] = customer
        self._due_ms[customer_id] = due_ms
        if due_ms < END_OF_TIME_MS:
            self._add_timer(due_ms, customer_id)
        return customer

    def _find(self, customer_id: str) -> bytes | None:
        """The entry that the database has."""
        value = self._kept.get(customer_id)
        if value is None and customer_id in self._absent:
            return None
        if value is None:
            key = customer_id.encode()
            value = self._store.get(key)
            if value is None:
                return None
            if not self._belongs_here(key):
                raise InfrastructureError(
                    f"the record of a customer of another partition was found in {self._store}:"
                    " it was written when the topics had another number of partitions. Give"
                    " them back the number they had, or read them from the start under another"
                    " TRIGGER_APP_ID"
                )
        self._values[customer_id] = value
        return value

    def erase(self, customer_id: str) -> None:
        """Forget the customer; a later ``get`` gives a new record, with the same ``applied`` and
        ``erased_ms``.
        """
        old = self.get(customer_id)
        self._loaded[customer_id] = Customer(
            customer_id=customer_id, applied=old.applied, erased_ms=old.erased_ms
        )
        self._touched[customer_id] = self._loaded[customer_id]
        self._erased.add(customer_id)
        self._let_go(customer_id)

    @property
    def has_merged(self) -> bool:
        """Whether a customer of the partition sends on what comes, as of the last unit."""
        if self._has_merged is None:
            self._has_merged = bool(self._store.merged(END_OF_TIME_MS, 1))
        return self._has_merged

    def end_forwarding(self, customer_id: str) -> None:
        """Send nothing on any more for a customer who was merged long ago."""
        customer = self.get(customer_id)
        customer.merged_into = None
        self.changed(customer)

    def forget(self, customer_id: str) -> None:
        """Leave nothing of the customer, no tombstone either."""
        self.get(customer_id)
        del self._loaded[customer_id]
        self._touched[customer_id] = None
        self._let_go(customer_id)

    def _let_go(self, customer_id: str) -> None:
        self._due_ms[customer_id] = END_OF_TIME_MS
        self._find_earliest()

    def changed(self, customer: Customer) -> None:
        """Write this record with the unit, under its due time as it is now."""
        customer_id = customer.customer_id
        for part in bound_record(customer):
            self.on_shed(part)
        self._touched[customer_id] = customer
        self._erased.discard(customer_id)
        due_ms = customer.next_due_ms()
        if due_ms != self._due_ms[customer_id]:
            self._due_ms[customer_id] = due_ms
            if due_ms < END_OF_TIME_MS:
                self._add_timer(due_ms, customer_id)
            self._find_earliest()

    def _add_timer(self, due_ms: int, customer_id: str) -> None:
        customer_ids = self._due_at.get(due_ms)
        if customer_ids is None:
            self._due_at[due_ms] = [customer_id]
            heapq.heappush(self._times, due_ms)
        else:
            customer_ids.append(customer_id)

    def earliest_due_ms(self) -> int:
        """When the first timer of the partition fires; END_OF_TIME_MS without one."""
        return self._earliest_ms

    def due(self, watermark_ms: int) -> list[Customer]:
        """Every customer with a timer at or before the watermark, in order of due time."""
        stored: dict[str, bytes] = {}
        while self._stored_ms <= watermark_ms:
            stored[self._stored_id] = self._stored_id.encode()
            self._next_stored()
        self._read_ahead(stored)
        for customer_id in stored:
            self.get(customer_id)
        times: list[int] = []
        while self._times and self._times[0] <= watermark_ms:
            times.append(heapq.heappop(self._times))
        now_due: dict[str, None] = {}
        for due_ms in times:
            heapq.heappush(self._times, due_ms)
            for customer_id in sorted(self._due_at[due_ms]):
                if self._due_ms[customer_id] == due_ms:
                    now_due[customer_id] = None
        return [self._loaded[customer_id] for customer_id in now_due]

    def note_parked(self, customer: Customer) -> None:
        """The record, which has changed, may have a step that waits."""
        self._may_have_parked = True

    def parked(self, limit: int) -> list[Customer]:
        """Up to ``limit`` customers with such a step as of the last unit; none is left after an
        empty answer.
        """
        if not self._may_have_parked:
            return []
        found = [self.get(customer_id) for customer_id in self._store.parked(limit)]
        self._may_have_parked = bool(found or self._touched)
        return found

    def bound_ms(self, watermark_ms: int, limit: int) -> int:
        """The watermark, or an earlier due time up to which about ``limit`` customers are due.

        Firing up to it, committing and going on keeps a unit small without changing any order.
        """
        if self._stored_ms > watermark_ms:
            return watermark_ms
        for count, (due_ms, _) in enumerate(self._store.timers_from(self._stored_ms), 1):
            if due_ms > watermark_ms:
                break
            if count >= limit:
                return due_ms
        return watermark_ms

    def touched_count(self) -> int:
        """How many records the unit will write so far."""
        return len(self._touched)

    def empty_outboxes(self) -> None:
        """Keep nothing in the outboxes of the records that the unit will write."""
        for customer in self._touched.values():
            if customer is not None and customer.outbox:
                customer.outbox = []

    def changes(self) -> list[Change]:
        """What the unit did, in the order in which customers were first touched.

        Asked once, and after it nothing but ``reset``: each record is let go of as soon as it is
        encoded, while it is in the processor's caches.
        """
        result = []
        loaded, touched = self._loaded, self._touched
        for customer_id in list(touched):
            key, old = customer_id.encode(), self._stored[customer_id]
            customer = touched.pop(customer_id)
            if customer is None:
                result.append(Change(key, old, None))
                self._values[customer_id] = None
                continue
            del loaded[customer_id]
            pending = customer.open.pending()
            has_parked = self._may_have_parked and customer.has_parked()
            head = Head(
                self._due_ms[customer_id],
                pending,
                bool(customer.outbox),
                has_parked=has_parked,
            )
            if customer_id in self._erased:
                head = Head(self._now() + self._tombstone_ms, 0, False, True)
            elif customer.merged_into is not None and not pending:
                ends_ms = customer.merged_at_ms + FORWARD_MS
                head = Head(ends_ms, 0, bool(customer.outbox), is_merged=True)
            if head.is_merged or (old is not None and is_merged(old)):
                self._has_merged = True if head.is_merged else None
            value = self._values[customer_id] = pack_value(head, self.encoded(customer))
            result.append(Change(key, old, value))
        result += self._changed_rates()
        self._floor_ms = self._earliest_ms
        return result

    def _changed_rates(self) -> list[Change]:
        """The state of the send rates, when the unit took slots."""
        if not self.rate_state.next_free_ms:
            return []
        before = self._stored_rates
        value = pack_value(RATES_HEAD, records.encode_rates(self.rate_state))
        if value == before:
            return []
        self._stored_rates = value
        return [Change(RATES_KEY, before, value)]

    def encoded(self, customer: Customer, bound: int = MAX_RECORD_BYTES) -> bytes:
        """The record as bytes, its outbox aside never over the bound."""
        record = records.encode(customer)
        if len(record) > bound:
            if record_bytes(customer) > bound:
                for part in keep_within(customer, bound):
                    self.on_shed(part)
            record = records.encode(customer)
        return record

    def _next_stored(self) -> None:
        self._stored_ms, self._stored_id = next(self._timers, (END_OF_TIME_MS, ""))

    def _find_earliest(self) -> None:
        """Drop what no longer counts from both ends, and take the smaller."""
        while self._stored_id in self._due_ms:
            self._next_stored()
        times, due_at = self._times, self._due_at
        self._earliest_ms = self._stored_ms
        while times and times[0] < self._stored_ms:
            due_ms = times[0]
            customer_ids = due_at[due_ms]
            while customer_ids and self._due_ms[customer_ids[-1]] != due_ms:
                customer_ids.pop()
            if customer_ids:
                self._earliest_ms = due_ms
                return
            del due_at[due_ms]
            heapq.heappop(times)
