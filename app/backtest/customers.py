"""Customer records in memory, with a heap for their timers."""

import heapq
from collections.abc import Iterator
from typing import Final

from app.core.customer import NEVER_MS, Customer

_MIN_STALE: Final = 1000


class MemoryCustomers:
    """``app.core.task.Customers`` over dictionaries: memory follows customers, not events.

    A customer's heap entry is no later than when their first timer fires: a timer that moves later,
    as most do, leaves it where it is until its time comes. An entry that an earlier one replaced is
    stale; stale ones are swept out before they outnumber the others.
    """

    def __init__(self) -> None:
        self._records: dict[str, Customer] = {}
        #: customer id -> the time of the entry that counts
        self._entry_ms: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

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
        self._records[customer_id] = customer
        due_ms = customer.next_due_ms()
        if due_ms < self._entry_ms.get(customer_id, NEVER_MS):
            self._push(customer_id, due_ms)
            if len(self._heap) > _MIN_STALE + 2 * len(self._entry_ms):
                self._sweep()

    def _push(self, customer_id: str, due_ms: int) -> None:
        self._entry_ms[customer_id] = due_ms
        heapq.heappush(self._heap, (due_ms, customer_id))

    def _sweep(self) -> None:
        """Rid the heap of stale entries."""
        self._heap = [(entry_ms, customer_id) for customer_id, entry_ms in self._entry_ms.items()]
        heapq.heapify(self._heap)

    def earliest_due_ms(self) -> int:
        """No later than when the first timer fires, NEVER_MS without one."""
        return self._heap[0][0] if self._heap else NEVER_MS

    def due(self, watermark_ms: int) -> list[Customer]:
        """Every customer with a timer at or before the watermark."""
        found: list[Customer] = []
        heap = self._heap
        while heap and heap[0][0] <= watermark_ms:
            entry_ms, customer_id = heapq.heappop(heap)
            if self._entry_ms.get(customer_id) != entry_ms:
                continue
            del self._entry_ms[customer_id]
            customer = self._records[customer_id]
            due_ms = customer.next_due_ms()
            if due_ms <= watermark_ms:
                found.append(customer)
            elif due_ms < NEVER_MS:
                self._push(customer_id, due_ms)
        return found
