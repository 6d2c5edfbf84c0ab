"""What a merge of two customers does to their instances (details of spec section 3).

The record of A travels to B whole: ``leave`` makes it ready and says what stays behind, ``take_in``
puts it into B's record. Between the two it may be encoded and sent to another partition.
"""

from typing import Final

from app.core.context import EventContext
from app.core.customer.declared_facts import merge_facts
from app.core.customer.instance import Instance
from app.core.customer.limits import MAX_RECORD_BYTES
from app.core.customer.merge import merge_into
from app.core.customer.record import FIELDS, Customer
from app.core.decisions import Reason
from app.core.rules.model import Rules
from app.core.time.instants import DAY_MS
from app.core.triggers.instances import end_instance, keep_bounds

#: So long after its arrival a merge sends on what comes for the customer that was merged.
FORWARD_MS: Final = 30 * DAY_MS


def leave(customer: Customer, into: str, now_ms: int) -> Customer:
    """Take everything out of a record but the way to ``into``; returns what was in it, and when
    and into whom it was merged.

    ``applied``, ``outbox`` and ``erased_ms`` stay: they belong to the partition.
    """
    customer.merged_into, customer.merged_at_ms = into, now_ms
    gone = customer.copy(applied={}, outbox=[], erased_ms=0)
    empty = Customer(
        customer.customer_id,
        applied=customer.applied,
        outbox=customer.outbox,
        merged_into=into,
        merged_at_ms=now_ms,
        erased_ms=customer.erased_ms,
    )
    for field in FIELDS:
        setattr(customer, field, getattr(empty, field))
    return gone


def forwarded_to(customer: Customer, now_ms: int) -> str | None:
    """Where what comes for the customer goes; None: it stays. ``now_ms`` is of arrival."""
    if customer.merged_into is None or now_ms - customer.merged_at_ms > FORWARD_MS:
        return None
    return customer.merged_into


def take_in(moment: EventContext, gone: Customer) -> None:
    """Put A's record into that of ``moment.customer``, and work out anew what depends on both.

    Of one trigger and key the instance with the newer anchor stays. Marks that both counters only
    reach together count as reached, and open nothing. B's record forwards no more: the newest
    member of a circle of merges is its end.
    """
    customer, rules = moment.customer, moment.rules
    customer.merged_into = None
    customer.about_bytes += MAX_RECORD_BYTES
    moving, gone.instances = gone.instances, []
    for name, used in gone.fired_years.items():
        if name in rules.triggers:
            trigger = rules.triggers[name]
            trigger.kind.take_used_year(moment, trigger, used)
    merge_facts(customer, gone, rules.facts_version, rules.facts, moment.now_ms)
    merge_into(customer, gone, moment.occurred_ms)
    for instance in moving:
        instance.opened_by = instance.opened_by or gone.customer_id
        if not _is_rescheduled(rules, gone, instance):
            _move(moment, instance)
    keep_bounds(moment)
    for trigger in rules.triggers.values():
        trigger.kind.take_merge(moment, trigger)
    for trigger in rules.dated:
        trigger.kind.reschedule(moment, trigger)
    customer.due_ms = None


def _is_rescheduled(rules: Rules, gone: Customer, instance: Instance) -> bool:
    """Whether the merged profile says anew when the instance is; not of one that has begun."""
    trigger = rules.triggers.get(instance.trigger)
    if trigger is None or instance.waits:
        return False
    return not trigger.kind.has_begun(gone, trigger, instance)


def _move(moment: EventContext, instance: Instance) -> None:
    customer = moment.customer
    trigger = moment.rules.triggers.get(instance.trigger)
    known = [] if trigger is None else customer.open.of(trigger.name)
    for other in known:
        if other.key == instance.key and other.anchor_ms >= instance.anchor_ms:
            customer.open.add(instance)
            end_instance(moment, instance, Reason.SUPERSEDED)
            return
        if other.key == instance.key:
            end_instance(moment, other, Reason.SUPERSEDED)
    customer.open.add(instance)
