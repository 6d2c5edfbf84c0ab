"""Customer records in memory, and when their timers fire."""

import heapq
from collections import Counter
from collections.abc import Iterator
from typing import Final

from app.core.customer.bound import bound_record
from app.core.customer.record import Customer
from app.core.time.instants import BEGINNING_OF_TIME_MS, END_OF_TIME_MS

_MIN_STALE: Final = 1000
#: Timers of one span (2 ** 22 ms, 70 minutes) are kept together, unordered, until it comes.
_SPAN_BITS: Final = 22

#: (time, customer id)
_Entry = tuple[int, str]


class InMemoryCustomers:
    """``app.core.engine.Customers`` over dictionaries: memory follows customers, not events.

    A customer's entry is no later than when their first timer fires: a timer that moves later,
    as most do, leaves it where it is until its time comes. An entry that an earlier one replaced is
    stale; stale ones are swept out before they outnumber the others.

    Only the entries of the span that has come are in a heap: one of all would be deep, and every
    step down it would wait for memory that nothing else has touched for long.
    """

    def __init__(self) -> None:
        self._records: dict[str, Customer] = {}
        #: customer id -> the time of the entry that counts
        self._entry_ms: dict[str, int] = {}
        #: a heap of the entries before ``_near_end_ms``
        self._near: list[_Entry] = []
        self._near_end_ms = BEGINNING_OF_TIME_MS
        #: number of the span -> its entries, and a heap of these numbers
        self._far: dict[int, list[_Entry]] = {}
        self._spans: list[int] = []
        #: customers that may have a parked step
        self._parked: dict[str, None] = {}
        #: how often records that grew too large lost a part, by part
        self.shed: Counter[str] = Counter()
        #: entries, stale ones included
        self._entries = 0

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Customer]:
        return iter(self._records.values())

    def get(self, customer_id: str) -> Customer:
        """The record, a new one for a customer not seen before."""
        customer = self._records.get(customer_id)
        return Customer(customer_id) if customer is None else customer

    def erase(self, customer_id: str) -> None:
        """Forget the customer."""
        self._records.pop(customer_id, None)
        self._entry_ms.pop(customer_id, None)

    def changed(self, customer: Customer) -> None:
        """Keep the record and find its place among the timers."""
        customer_id = customer.customer_id
        dropped = bound_record(customer)
        if dropped:
            self.shed.update(dropped)
        self._records[customer_id] = customer
        due_ms = customer.next_due_ms()
        if due_ms < self._entry_ms.get(customer_id, END_OF_TIME_MS):
            self._push(customer_id, due_ms)
            if self._entries > _MIN_STALE + 2 * len(self._entry_ms):
                self._sweep()

    def note_parked(self, customer: Customer) -> None:
        """The record, which has changed, may have a step that waits."""
        self._parked[customer.customer_id] = None

    def parked(self, limit: int) -> list[Customer]:
        """Up to ``limit`` customers with such a step."""
        found: list[Customer] = []
        for customer_id in list(self._parked):
            if len(found) == limit:
                break
            del self._parked[customer_id]
            customer = self._records.get(customer_id)
            if customer is not None and customer.has_parked():
                found.append(customer)
        return found

    def _push(self, customer_id: str, due_ms: int) -> None:
        self._entry_ms[customer_id] = due_ms
        self._entries += 1
        if due_ms < self._near_end_ms:
            heapq.heappush(self._near, (due_ms, customer_id))
            return
        span = due_ms >> _SPAN_BITS
        entries = self._far.get(span)
        if entries is None:
            self._far[span] = [(due_ms, customer_id)]
            heapq.heappush(self._spans, span)
        else:
            entries.append((due_ms, customer_id))

    def _sweep(self) -> None:
        """Rid the entries of stale ones."""
        counting = list(self._entry_ms.items())
        self._near, self._far, self._spans, self._entries = [], {}, [], 0
        for customer_id, entry_ms in counting:
            self._push(customer_id, entry_ms)

    def earliest_due_ms(self) -> int:
        """No later than when the first timer fires, END_OF_TIME_MS without one."""
        if self._near:
            return self._near[0][0]
        return self._spans[0] << _SPAN_BITS if self._spans else END_OF_TIME_MS

    def due(self, watermark_ms: int) -> list[Customer]:
        """Every customer with a timer at or before the watermark."""
        found: list[Customer] = []
        while True:
            near = self._near
            if not near:
                if self.earliest_due_ms() > watermark_ms:
                    return found
                self._come_near()
                continue
            if near[0][0] > watermark_ms:
                return found
            entry_ms, customer_id = heapq.heappop(near)
            self._entries -= 1
            if self._entry_ms.get(customer_id) != entry_ms:
                continue
            del self._entry_ms[customer_id]
            customer = self._records[customer_id]
            due_ms = customer.next_due_ms()
            if due_ms <= watermark_ms:
                found.append(customer)
            elif due_ms < END_OF_TIME_MS:
                self._push(customer_id, due_ms)

    def _come_near(self) -> None:
        """Take the first span's entries into the heap."""
        span = heapq.heappop(self._spans)
        self._near = self._far.pop(span)
        heapq.heapify(self._near)
        self._near_end_ms = (span + 1) << _SPAN_BITS
