"""Opening and ending instances: what every kind has in common."""

from typing import Any, Final

import msgspec

from app.core.context import DecisionContext, EventContext
from app.core.customer.limits import MAX_ANCHORS, MAX_INSTANCES, MAX_ITEMS_BYTES, remember
from app.core.customer.record import Customer, Instance, PendingStep
from app.core.decisions import Cause, Reason
from app.core.events import DELIVERY, ITEMS
from app.core.rules.arbitration import firing_ms
from app.core.rules.model import Trigger
from app.core.rules.variants import audience_of, steps_of
from app.core.triggers.decide import drop_step

_NOTHING: Final[dict[str, list[int]]] = {}


def open_instance(moment: EventContext, trigger: Trigger, key: str) -> None:
    """Open an instance anchored at the event, unless it is too late, known, or ``when`` fails.

    Steps that fire at the anchor join ``moment.immediate``; the others wait for the watermark.
    """
    if is_cancelled_since(moment.customer, trigger, key, moment.occurred_ms):
        return
    if is_known(moment.customer, trigger, key, moment.occurred_ms):
        return
    if trigger.when is None or trigger.when(moment.data, moment.customer, moment.now_ms):
        start_instance(moment, trigger, key)


def is_cancelled_since(customer: Customer, trigger: Trigger, key: str, occurred_ms: int) -> bool:
    """Whether a cancel seen for this key, or for all, occurred at that time or later."""
    if not trigger.cancel:
        return False
    cancelled_ms = customer.cancels_ms.get(trigger.name, {}).get(key)
    if cancelled_ms is not None and occurred_ms <= cancelled_ms:
        return True
    cancelled_ms = customer.cancels_all_ms.get(trigger.name)
    return cancelled_ms is not None and occurred_ms <= cancelled_ms


def is_known(customer: Customer, trigger: Trigger, key: str, anchor_ms: int) -> bool:
    """Whether an instance of this very identity has been opened before: it has had its run."""
    by_key = customer.opened_ms.get(trigger.name)
    return by_key is not None and anchor_ms in by_key.get(key, ())


def start_instance(moment: EventContext, trigger: Trigger, key: str) -> None:
    """Open an instance at the event without asking anything."""
    instance = add_instance(
        moment, trigger, key, moment.occurred_ms, _kept(moment.data, trigger), moment.cause
    )
    instance.is_delivery = moment.type == DELIVERY
    if trigger.kind.is_repeating:
        _remember_opened(moment.customer, instance)
    _join_immediate(moment, trigger, instance)


def _join_immediate(moment: EventContext, trigger: Trigger, instance: Instance) -> None:
    for pending in instance.steps:
        if pending.fire_ms == instance.anchor_ms:
            moment.immediate.append((trigger, instance, pending))


def _remember_opened(customer: Customer, instance: Instance) -> None:
    known = customer.opened_ms.get(instance.trigger, _NOTHING).get(instance.key, [])
    anchors_ms = [*known[1 - MAX_ANCHORS :], instance.anchor_ms]
    remember(customer.opened_ms, instance.trigger, instance.key, anchors_ms)


def _kept(data: dict[str, Any], trigger: Trigger) -> dict[str, Any]:
    if ITEMS not in data:
        return data
    if trigger.keeps_items and len(msgspec.json.encode(data[ITEMS])) <= MAX_ITEMS_BYTES:
        return data
    return {field: value for field, value in data.items() if field != ITEMS}


def move_instance(moment: EventContext, trigger: Trigger, instance: Instance) -> None:
    """Anchor an open instance anew at the event: as if it ended and another one opened."""
    planned = steps_of(trigger, moment.customer.customer_id, instance)
    if len(instance.steps) != len(planned) or any(step.waits for step in instance.steps):
        end_instance(moment, instance, Reason.SUPERSEDED)
        start_instance(moment, trigger, instance.key)
        return
    instance.data, instance.cause = _kept(moment.data, trigger), moment.cause
    instance.anchor_ms = moment.occurred_ms
    instance.is_delivery = moment.type == DELIVERY
    instance.audience = audience_of(trigger, moment.data, moment.customer, moment.now_ms)
    for pending in instance.steps:
        moment.customer.timer_gone(pending.fire_ms)
    instance.steps = _pending_steps(moment, trigger, instance)
    for pending in instance.steps:
        moment.customer.timer_added(pending.fire_ms)
    _join_immediate(moment, trigger, instance)
    _remember_opened(moment.customer, instance)


def add_instance(
    moment: DecisionContext,
    trigger: Trigger,
    key: str,
    anchor_ms: int,
    data: dict[str, Any],
    cause: Cause,
) -> Instance:
    """Put a new instance with all its steps into the record."""
    instance = Instance(trigger.name, key, anchor_ms, data, cause, [])
    instance.audience = audience_of(trigger, data, moment.customer, moment.now_ms)
    instance.steps = steps = _pending_steps(moment, trigger, instance)
    instances = moment.customer.instances
    instances.append(instance)
    for pending in steps:
        moment.customer.timer_added(pending.fire_ms)
    if len(instances) > MAX_INSTANCES:
        oldest = min(instances[:-1], key=lambda known: known.anchor_ms)
        end_instance(moment, oldest, Reason.SUPERSEDED)
    return instance


def _pending_steps(
    moment: DecisionContext, trigger: Trigger, instance: Instance
) -> list[PendingStep]:
    pending: list[PendingStep] = []
    for step in steps_of(trigger, moment.customer.customer_id, instance):
        due_ms = instance.anchor_ms + step.after_ms
        pending.append(PendingStep(len(pending), due_ms, firing_ms(moment.rules, trigger, due_ms)))
    return pending


def end_instance(moment: DecisionContext, instance: Instance, reason: Reason) -> None:
    """Take an open instance out: steps that wait are decided, those not yet due just go."""
    moment.customer.instances.remove(instance)
    trigger = moment.rules.triggers.get(instance.trigger)
    planned = steps_of(trigger, moment.customer.customer_id, instance) if trigger else ()
    for pending in instance.steps:
        moment.customer.timer_gone(pending.fire_ms)
        if pending.waits and trigger is not None and pending.step < len(planned):
            drop_step(moment, trigger, instance, pending, reason)
    instance.steps = []


def open_instances(customer: Customer, trigger: Trigger) -> list[Instance]:
    """The open instances of one trigger, in the order of their keys and anchors."""
    name, found = trigger.name, []
    for instance in customer.instances:
        if instance.trigger == name:
            found.append(instance)
    if len(found) > 1:
        found.sort(key=lambda instance: (instance.key, instance.anchor_ms))
    return found
