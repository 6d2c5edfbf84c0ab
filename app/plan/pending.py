"""What becomes of timers that are pending when the rules change.

The rule, which the engine follows when its rules are replaced:

1. A step whose trigger, or whose step number, NEW does not have is **dropped**: when its time
   comes it goes, and nothing is decided.
2. Every other step is **kept**: its due time, its key and the data of its event stay as they
   were; gates, template, channels, priority and expiry are NEW's when it is decided.
3. Nothing is **moved**: a changed ``after`` holds for instances that open from now on, a changed
   date or time of an anniversary from the customer's next change of date. ``kept_elsewhere``
   counts the kept steps that would be due at another time if NEW had opened them.
   A trigger that became another kind under its name keeps its timers too.
4. A step that NEW adds to a trigger does not join instances that are open already.
"""

from collections.abc import Iterable

import msgspec

from app.core.customer.instance import Instance, PendingStep
from app.core.customer.record import Customer
from app.core.rules.model import Rules, Trigger
from app.core.rules.variants import steps_of


class PendingChange(msgspec.Struct):
    """Pending steps of one trigger; ``kept_elsewhere`` are among ``kept``."""

    kept: int = 0
    kept_elsewhere: int = 0
    moved: int = 0
    dropped: int = 0


def follow_timers(
    customers: Iterable[Customer], old: Rules, new: Rules
) -> dict[str, PendingChange]:
    """By trigger: instances opened under OLD, seen under NEW. Changes nothing."""
    found: dict[str, PendingChange] = {}
    for customer in customers:
        for instance in customer.instances:
            change = found.setdefault(instance.trigger, PendingChange())
            for pending in instance.steps:
                _count(change, customer.customer_id, instance, pending, old, new)
    return dict(sorted(found.items()))


def _count(
    change: PendingChange,
    customer_id: str,
    instance: Instance,
    pending: PendingStep,
    old: Rules,
    new: Rules,
) -> None:
    trigger = new.triggers.get(instance.trigger)
    steps = () if trigger is None else steps_of(trigger, customer_id, instance)
    if trigger is None or pending.step >= len(steps):
        change.dropped += 1
        return
    change.kept += 1
    step = steps[pending.step]
    is_elsewhere = (
        trigger.kind.is_due_after_anchor
        and step.follows is None
        and pending.due_ms != instance.anchor_ms + step.after_ms
    )
    if is_elsewhere or _is_at_another_time(old.triggers[instance.trigger], trigger):
        change.kept_elsewhere += 1


def _is_at_another_time(before: Trigger, now: Trigger) -> bool:
    minutes = before.kind.local_minute, now.kind.local_minute
    return None not in minutes and minutes[0] != minutes[1]
