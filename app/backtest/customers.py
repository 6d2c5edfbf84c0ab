"""Customer records in memory, with a heap for their timers."""

import heapq
from collections.abc import Iterator

from app.core.customer import NEVER_MS, Customer


class MemoryCustomers:
    """``app.core.task.Customers`` over dictionaries: memory follows customers, not events.

    A heap entry is stale when it is not the customer's due time any more.
    """

    def __init__(self) -> None:
        self._records: dict[str, Customer] = {}
        self._due_ms: dict[str, int] = {}
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
        self._due_ms.pop(customer_id, None)

    def changed(self, customer: Customer) -> None:
        """Keep the record and find its place among the timers."""
        customer_id = customer.customer_id
        self._records[customer_id] = customer
        due_ms = customer.next_due_ms()
        if due_ms == self._due_ms.get(customer_id, NEVER_MS):
            return
        if due_ms == NEVER_MS:
            del self._due_ms[customer_id]
        else:
            self._due_ms[customer_id] = due_ms
            heapq.heappush(self._heap, (due_ms, customer_id))

    def earliest_due_ms(self) -> int:
        """When the first timer fires, NEVER_MS without one."""
        heap, due_ms = self._heap, self._due_ms
        while heap and due_ms.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else NEVER_MS

    def due(self, watermark_ms: int) -> list[Customer]:
        """Every customer with a timer at or before the watermark."""
        found: dict[str, None] = {}
        while self.earliest_due_ms() <= watermark_ms:
            _, customer_id = heapq.heappop(self._heap)
            found[customer_id] = None
            del self._due_ms[customer_id]
        return [self._records[customer_id] for customer_id in found]
