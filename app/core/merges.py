"""Merged customers in one partition: whose an event is, and what travels to another partition.

The record of a customer and that of the one whom they were merged into are mostly in two
partitions. Then the first one's record, and later its events, leave as a ``Forward``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from app.core.customer.record import Customer
from app.core.triggers.merging import forwarded_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """The event being handled is to be sent on by the record of one customer to another one's."""

    customer_id: str
    into: str
    #: the whole record of a customer that was merged, which travels with the event of its merge
    guest: Customer | None = None


EmitForward = Callable[[Forward], None]
#: Whether the record of a customer is in this partition.
Holds = Callable[[str], bool]


def holds_everyone(_: str) -> bool:
    """All customers are in one place, as in a backtest."""
    return True


def ignore_forward(_: Forward) -> None:
    """Where all customers are in one place, nothing travels."""


class _Records(Protocol):
    def get(self, customer_id: str) -> Customer: ...


class MergedCustomers:
    """Follows merges as far as this partition has the records."""

    def __init__(self, customers: _Records, holds: Holds) -> None:
        self._customers = customers
        self.holds = holds

    def newest_member(
        self, customer: Customer, now_ms: int, guest: Customer | None = None
    ) -> tuple[Customer, str | None]:
        """The customer of this partition that an event is about; with an id, that customer sends it
        on to there.

        A ``guest``, whose record arrives, follows no merge that came before its own: the customer
        that it was merged into had not left yet.
        """
        passed = {customer.customer_id}
        while (into := forwarded_to(customer, now_ms)) is not None:
            if guest is not None and _order(customer) < _order(guest):
                break
            if not self.holds(into):
                return customer, into
            if into in passed:
                break
            passed.add(into)
            customer = self._customers.get(into)
        return customer, None


def _order(merged: Customer) -> tuple[int, str]:
    """The order of merges, which is the same wherever two of them are compared."""
    return merged.merged_at_ms, merged.customer_id
