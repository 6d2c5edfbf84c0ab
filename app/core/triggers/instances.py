"""Opening and ending instances: what every kind has in common."""

from typing import Any, Final

import msgspec

from app.core.context import DecisionContext, EventContext
from app.core.customer.instance import Instance, PendingStep
from app.core.customer.limits import MAX_INSTANCE_BYTES, MAX_INSTANCES, MAX_ITEMS_BYTES
from app.core.customer.record import Customer
from app.core.decisions import Reason
from app.core.events import DELIVERY, ITEMS
from app.core.recorded import Cause
from app.core.rules.arbitration import firing_ms
from app.core.rules.model import Trigger
from app.core.rules.variants import audience_of, steps_of
from app.core.time.instants import DAY_MS
from app.core.triggers.decide import drop_step

#: How long after its anchor an instance waits for what a send leads to.
JOURNEY_MS: Final = 60 * DAY_MS
_encoder: Final = msgspec.msgpack.Encoder()


def start_instance(moment: EventContext, trigger: Trigger, key: str) -> Instance:
    """Open an instance at the event without asking anything.

    Steps that fire at the anchor join ``moment.immediate``; the others wait for the watermark.
    """
    data = trigger.kind.event_data(moment)
    if ITEMS in data:
        data = _kept(data, trigger)
    instance = add_instance(moment, trigger, key, moment.occurred_ms, data, moment.cause)
    instance.is_delivery = moment.type == DELIVERY
    _join_immediate(moment, trigger, instance)
    return instance


def _join_immediate(moment: EventContext, trigger: Trigger, instance: Instance) -> None:
    for pending in instance.steps:
        if pending.fire_ms == instance.anchor_ms:
            moment.immediate.append((trigger, instance, pending))


def _kept(data: dict[str, Any], trigger: Trigger) -> dict[str, Any]:
    """Data with ``items`` as an instance keeps it: only when a rule reads them, and as many of the
    first as there is room for.
    """
    items = data[ITEMS]
    if trigger.keeps_items:
        if len(msgspec.json.encode(items)) <= MAX_ITEMS_BYTES:
            return data
        if isinstance(items, list):
            return {**data, ITEMS: _first_that_fit(items)}
    return {field: value for field, value in data.items() if field != ITEMS}


def _first_that_fit(items: list[Any]) -> list[Any]:
    room, kept = MAX_ITEMS_BYTES - len("[]"), []
    for item in items:
        room -= len(msgspec.json.encode(item)) + len(",")
        if room < 0:
            break
        kept.append(item)
    return kept


def move_instance(moment: EventContext, trigger: Trigger, instance: Instance) -> None:
    """Anchor an open instance anew at the event: as if it ended and another one opened.

    No step of it has been decided.
    """
    for pending in instance.steps:
        if pending.deferred or pending.parked:
            end_instance(moment, instance, Reason.SUPERSEDED)
            start_instance(moment, trigger, instance.key)
            return
    customer = moment.customer
    data = _kept(moment.data, trigger) if ITEMS in moment.data else moment.data
    instance.data, instance.cause = data, moment.cause
    instance.size = len(_encoder.encode(data)) if data else 0
    customer.about_bytes += instance.size
    instance.anchor_ms = moment.occurred_ms
    instance.is_delivery = moment.type == DELIVERY
    instance.opened_by = None
    instance.audience = audience_of(trigger, moment.data, customer, moment.now_ms)
    for pending in instance.steps:
        customer.timer_gone(pending.fire_ms)
    instance.steps = _pending_steps(moment, trigger, instance)
    for pending in instance.steps:
        customer.timer_added(pending.fire_ms)
    _join_immediate(moment, trigger, instance)


def add_instance(
    moment: DecisionContext,
    trigger: Trigger,
    key: str,
    anchor_ms: int,
    data: dict[str, Any],
    cause: Cause,
) -> Instance:
    """Put a new instance with all its steps into the record; not one that has no step."""
    customer = moment.customer
    size = len(_encoder.encode(data)) if data else 0
    instance = Instance(trigger.name, key, anchor_ms, data, cause, [], size=size)
    if trigger.experiment is not None:
        instance.audience = audience_of(trigger, data, customer, moment.now_ms)
    instance.steps = steps = _pending_steps(moment, trigger, instance)
    if not steps:
        return instance
    customer.open.add(instance)
    customer.about_bytes += size
    for pending in steps:
        customer.timer_added(pending.fire_ms)
    # the record is no smaller than the data of its instances
    if customer.open.count() > MAX_INSTANCES or customer.about_bytes > MAX_INSTANCE_BYTES:
        keep_bounds(moment, instance)
    return instance


def _pending_steps(
    moment: DecisionContext, trigger: Trigger, instance: Instance
) -> list[PendingStep]:
    pending: list[PendingStep] = []
    rules, kind, anchor_ms = moment.rules, trigger.kind, instance.anchor_ms
    steps = (
        trigger.steps
        if trigger.experiment is None
        else steps_of(trigger, moment.customer.customer_id, instance)
    )
    for number, step in enumerate(steps):
        if step.follows is not None:
            if all(earlier.step != step.follows.step for earlier in pending):
                continue
            ends_ms = anchor_ms + JOURNEY_MS
            pending.append(PendingStep(number, ends_ms, ends_ms, awaits=True))
            continue
        if kind.is_due_after_anchor:
            due_ms: int | None = anchor_ms + step.after_ms
        else:
            due_ms = kind.due_ms(moment, step, instance)
        if due_ms is not None:
            fire_ms = firing_ms(rules, trigger, due_ms) if rules.arbitration_ms else due_ms
            pending.append(PendingStep(number, due_ms, fire_ms))
    return pending


def keep_bounds(moment: DecisionContext, newest: Instance | None = None) -> None:
    """End instances until the record may hold the rest. The newest stays, unless it is a marketing
    one among transactional ones.
    """
    instances = moment.customer.instances
    total = 0
    for instance in instances:
        total += instance.size
    if len(instances) <= MAX_INSTANCES and total <= MAX_INSTANCE_BYTES:
        return
    while len(instances) > 1 and (len(instances) > MAX_INSTANCES or total > MAX_INSTANCE_BYTES):
        gone = min(instances, key=lambda instance: _dispensable_first(moment, instance, newest))
        total -= gone.size
        end_instance(moment, gone, Reason.SUPERSEDED, is_evicted=True)


def _dispensable_first(
    moment: DecisionContext, instance: Instance, newest: Instance | None
) -> tuple[bool, bool, int]:
    trigger = moment.rules.triggers.get(instance.trigger)
    is_transactional = trigger is not None and not trigger.is_marketing
    return is_transactional, instance is newest, instance.anchor_ms


def end_instance(
    moment: DecisionContext, instance: Instance, reason: Reason, *, is_evicted: bool = False
) -> None:
    """Take an open instance out. Steps that wait are decided, the others just go; of one that goes
    for want of room (``is_evicted``) all that could have come are decided.
    """
    customer = moment.customer
    customer.open.remove(instance)
    trigger = moment.rules.triggers.get(instance.trigger)
    planned = steps_of(trigger, customer.customer_id, instance) if trigger else ()
    for pending in instance.steps:
        customer.timer_gone(pending.fire_ms)
        if trigger is None or not (pending.waits or (is_evicted and not pending.awaits)):
            continue
        if pending.step < len(planned):
            drop_step(moment, trigger, instance, pending, reason, is_evicted=is_evicted)
    instance.steps = []


def remove_instance(customer: Customer, instance: Instance) -> None:
    """Take an open instance out of the record, without a decision on any of its steps."""
    customer.open.remove(instance)
    for pending in instance.steps:
        customer.timer_gone(pending.fire_ms)
