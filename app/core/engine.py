"""One partition's work: timers and events in the one order that spec section 4 allows.

The live worker has a task for each partition number, the backtest has one for everything.
"""

import heapq
from collections.abc import Iterator
from operator import itemgetter
from typing import Final, Protocol

from app.core.context import DecisionContext, Emit, EmitStopped, ignore_stopped
from app.core.customer.instance import Instance, PendingStep
from app.core.customer.profile import ProfileError
from app.core.customer.record import Customer
from app.core.events import MERGE, PROFILES, Event
from app.core.merges import (
    EmitForward,
    Forward,
    Holds,
    MergedCustomers,
    holds_everyone,
    ignore_forward,
)
from app.core.outcomes import EmitOutcome, ignore_outcome
from app.core.rules.model import Rules
from app.core.rules.rates import Rates, single_partition
from app.core.time.instants import BEGINNING_OF_TIME_MS
from app.core.timers import TimerOrder, fire_timer, next_timer, timer_order
from app.core.transitions import (
    APPLIED,
    DUPLICATE,
    Handled,
    begin_merge,
    end_merge,
    handle_event,
)
from app.core.triggers.parking import unpark

__all__ = ["Customers", "Engine", "Handled"]

_Timer = tuple[TimerOrder, Customer, Instance, PendingStep]

_ALL: Final = 1 << 62
_NO_CUSTOMER: Final = Customer("")


class Customers(Protocol):
    """The customer records of one partition, as a task sees them."""

    def get(self, customer_id: str) -> Customer:
        """The record, a new one for a customer not seen before. The same object until saved."""

    def erase(self, customer_id: str) -> None:
        """Forget the customer: record, timers and all."""

    def changed(self, customer: Customer) -> None:
        """The record changed; its ``next_due_ms()`` may have."""

    def earliest_due_ms(self) -> int:
        """No later than when the first timer fires; END_OF_TIME_MS without one. Costs no search."""

    def note_parked(self, customer: Customer) -> None:
        """The record, which has changed, may have a step that waits to be current."""

    def parked(self, limit: int) -> list[Customer]:
        """Up to ``limit`` customers with such a step."""

    def due(self, watermark_ms: int) -> list[Customer]:
        """Customers with a timer at or before the watermark: all, or the first of them.

        After an empty answer ``earliest_due_ms`` is later than the watermark.
        """


class Engine:
    """Decides for the customers of one partition, one input at a time.

    ``rules`` may be replaced between inputs. Decisions go to ``emit`` in the order made, what sends
    led to to ``emit_outcome``, starts that opened nothing to ``emit_stopped``. ``rates`` gives the
    send rates of each partition; without them all customers are one partition.
    What a merged customer sends on to one whom this partition does not hold goes to
    ``emit_forward``.
    """

    def __init__(
        self,
        rules: Rules,
        customers: Customers,
        emit: Emit,
        emit_outcome: EmitOutcome = ignore_outcome,
        rates: Rates | None = None,
        emit_stopped: EmitStopped = ignore_stopped,
        *,
        holds: Holds = holds_everyone,
        emit_forward: EmitForward = ignore_forward,
    ) -> None:
        self.rules = rules
        self._customers = customers
        self._emit = emit
        self._emit_outcome = emit_outcome
        self._rates = rates or single_partition()
        self._emit_stopped = emit_stopped
        self._merged = MergedCustomers(customers, holds)
        self._emit_forward = emit_forward
        #: where the stepped clock stands; a new task over old records resumes at their timers
        self._now_ms = BEGINNING_OF_TIME_MS
        self._is_current = True

    def fire_due(self, watermark_ms: int, now_ms: int, *, is_current: bool = True) -> int:
        """Fire every timer at or before the watermark, at ``now_ms``; returns how many.

        While the partition is not current, marketing steps are parked in place of being decided.

        A wall clock that was set back counts as standing at the watermark: what is deferred now
        must not be due at once.
        """
        self._is_current = is_current
        return self._fire(watermark_ms, max(now_ms, watermark_ms), None)

    def turn_current(self, watermark_ms: int, now_ms: int) -> int:
        """The partition is current again: decide all that is parked and all that is due by the
        watermark, in one pass in the order of timers; returns how many timers fired.
        """
        self._is_current = True
        rules, late = self.rules, []
        for customer in self._customers.parked(_ALL):
            for instance, pending in _parked_steps(customer):
                if pending.fire_ms <= watermark_ms:
                    unpark(customer, pending)
                else:
                    order = timer_order(customer, instance, pending, rules)
                    late.append((order, customer, instance, pending))
            self._customers.changed(customer)
        fired = self._fire(watermark_ms, now_ms, None)
        moment = self._moment(now_ms)
        for _, customer, instance, pending in sorted(late, key=itemgetter(0)):
            if pending.parked and pending in instance.steps:
                unpark(customer, pending)
                moment.customer = customer
                fire_timer(moment, instance, pending)
                self._customers.changed(customer)
                fired += 1
        return fired

    def release_parked(self, watermark_ms: int, limit: int) -> int:
        """Give the parked steps of up to ``limit`` customers their timers back, at the watermark
        at the latest: the first half of ``turn_current`` where memory is bounded. Returns of how
        many customers.
        """
        customers = self._customers.parked(limit)
        for customer in customers:
            for _, pending in _parked_steps(customer):
                pending.fire_ms = min(pending.fire_ms, watermark_ms)
                unpark(customer, pending)
            self._customers.changed(customer)
        return len(customers)

    def run_to(self, now_ms: int, grace_ms: int) -> int:
        """Step the clock to ``now_ms``: each timer fires at its time + grace; returns how many."""
        fired = 0
        self._is_current = True
        if self._customers.earliest_due_ms() + grace_ms <= now_ms:
            fired = self._fire(now_ms - grace_ms, self._now_ms, grace_ms)
        if now_ms > self._now_ms:
            self._now_ms = now_ms
        return fired

    def handle(
        self,
        event: Event,
        now_ms: int,
        watermark_ms: int,
        *,
        is_current: bool = True,
        customer_id: str | None = None,
        guest: Customer | None = None,
        arrived_ms: int | None = None,
    ) -> Handled:
        """Take one event, then fire what it made due.

        ``customer_id`` is whose it is when another customer's record sent it on, ``guest`` the
        record of that customer when it comes with the event of its merge. A merge counts from
        ``arrived_ms``, by default from now. Raises EventError, with nothing applied but the
        withdrawals of a wrong profile update.
        """
        self._is_current = is_current
        customer = self._customers.get(customer_id or event.customer_id)
        if now_ms < watermark_ms:
            now_ms = watermark_ms
        if customer.merged_into is not None:
            customer, into = self._merged.newest_member(customer, now_ms, guest)
            if into is not None:
                self._forward(customer, into, guest)
                return Handled.FORWARDED
        if event.type == MERGE and event.topic == PROFILES:
            if guest is None:
                return self._merge(customer, event, now_ms, watermark_ms, arrived_ms)
            self._take_in(customer, guest, event, now_ms, watermark_ms)
            return APPLIED
        try:
            handled = handle_event(
                customer,
                event,
                self.rules,
                now_ms,
                self._emit,
                self._rates,
                self._emit_outcome,
                self._emit_stopped,
                is_current=is_current,
            )
        except ProfileError as error:
            if error.withdrawn:
                self._changed(customer)
            raise
        if handled is APPLIED:
            if is_current:
                self._customers.changed(customer)
            else:
                self._changed(customer)
            if self._customers.earliest_due_ms() <= watermark_ms:
                self._fire(watermark_ms, now_ms, None)
        elif handled is DUPLICATE or handled is Handled.MACHINE_OPEN:
            self._changed(customer)
        return handled

    def member_of(self, customer: Customer, now_ms: int) -> Customer:
        """The customer of this partition whom an event of ``customer`` is about."""
        if customer.merged_into is None:
            return customer
        return self._merged.newest_member(customer, now_ms)[0]

    def _merge(
        self,
        customer: Customer,
        event: Event,
        now_ms: int,
        watermark_ms: int,
        arrived_ms: int | None,
    ) -> Handled:
        """Merge ``customer`` into whom the event names, here or on the way there."""
        guest = begin_merge(customer, event, now_ms if arrived_ms is None else arrived_ms)
        if isinstance(guest, Handled):
            if guest is DUPLICATE:
                self._changed(customer)
            return guest
        into = guest.merged_into
        assert into is not None
        if not self._merged.holds(into):
            self._forward(customer, into, guest)
            return Handled.FORWARDED
        self._changed(customer)
        self._take_in(self._customers.get(into), guest, event, now_ms, watermark_ms)
        return APPLIED

    def _take_in(
        self, member: Customer, guest: Customer, event: Event, now_ms: int, watermark_ms: int
    ) -> None:
        """Put a merged customer's record into the member's, and fire what is due."""
        end_merge(
            member,
            guest,
            event,
            self.rules,
            now_ms,
            self._emit,
            self._rates,
            self._emit_stopped,
            is_current=self._is_current,
        )
        self._changed(member)
        if member.has_parked():
            self._customers.note_parked(member)
        if self._customers.earliest_due_ms() <= watermark_ms:
            self._fire(watermark_ms, now_ms, None)

    def _forward(self, customer: Customer, into: str, guest: Customer | None) -> None:
        self._changed(customer)
        self._emit_forward(Forward(customer_id=customer.customer_id, into=into, guest=guest))

    def erase(self, customer_id: str) -> None:
        """Forget the customer; what comes later starts afresh."""
        self._customers.erase(customer_id)

    def _fire(self, watermark_ms: int, now_ms: int, grace_ms: int | None) -> int:
        fired = 0
        while self._customers.earliest_due_ms() <= watermark_ms:
            customers = self._customers.due(watermark_ms)
            fired += self._fire_all(customers, watermark_ms, now_ms, grace_ms)
            changed = self._customers.changed if self._is_current else self._changed
            for customer in customers:
                changed(customer)
        return fired

    def _moment(self, now_ms: int) -> DecisionContext:
        """What the timers of one pass have in common: each sets its customer, and its now."""
        return DecisionContext(
            rules=self.rules,
            customer=_NO_CUSTOMER,
            now_ms=now_ms,
            emit=self._emit,
            rates=self._rates,
            is_current=self._is_current,
        )

    def _changed(self, customer: Customer) -> None:
        self._customers.changed(customer)
        if not self._is_current and customer.has_parked():
            self._customers.note_parked(customer)

    def _fire_all(
        self, customers: list[Customer], watermark_ms: int, now_ms: int, grace_ms: int | None
    ) -> int:
        """Fire the timers of these customers in one order; those that appear meanwhile join in.

        Each fires at ``now_ms``; with ``grace_ms``, at its time + that when it is later.
        """
        rules = self.rules
        if len(customers) == 1:
            return self._fire_alone(customers[0], watermark_ms, now_ms, grace_ms)
        # those that wait are sorted once, most often as they come; only those that join need a heap
        waiting: list[_Timer] = []
        for customer in customers:
            timer = _timer_of(customer, rules, watermark_ms)
            if timer is not None:
                waiting.append(timer)
        waiting.sort(key=itemgetter(0), reverse=True)
        joined: list[_Timer] = []
        moment = self._moment(now_ms)
        fired = 0
        while waiting or joined:
            is_joined = joined and (not waiting or joined[0] < waiting[-1])
            timer = heapq.heappop(joined) if is_joined else waiting.pop()
            order, customer, instance, pending = timer
            moment.customer = customer
            if grace_ms is not None:
                moment.now_ms = max(now_ms, order[0] + grace_ms)
            fire_timer(moment, instance, pending)
            fired += 1
            timer = _timer_of(customer, rules, watermark_ms)
            if timer is not None:
                heapq.heappush(joined, timer)
        return fired

    def _fire_alone(
        self, customer: Customer, watermark_ms: int, now_ms: int, grace_ms: int | None
    ) -> int:
        """The same for one customer, who needs no order among others."""
        rules, moment = self.rules, self._moment(now_ms)
        moment.customer = customer
        fired = 0
        while (due_ms := customer.next_due_ms()) <= watermark_ms:
            timer = next_timer(customer, rules)
            assert timer is not None
            if grace_ms is not None:
                moment.now_ms = max(now_ms, due_ms + grace_ms)
            fire_timer(moment, timer[0], timer[1])
            fired += 1
        return fired


def _timer_of(customer: Customer, rules: Rules, watermark_ms: int) -> _Timer | None:
    """The customer's next timer when it is due."""
    if customer.next_due_ms() > watermark_ms:
        return None
    timer = next_timer(customer, rules)
    assert timer is not None
    instance, pending = timer
    return timer_order(customer, instance, pending, rules), customer, instance, pending


def _parked_steps(customer: Customer) -> Iterator[tuple[Instance, PendingStep]]:
    for instance in customer.instances:
        for pending in instance.steps:
            if pending.parked:
                yield instance, pending
