"""Due timers of a customer: which one fires next, and the decision on its step.

Changes the customer's record in place and emits decisions; asks nothing of the world.
"""

from app.core.context import DecisionContext
from app.core.customer.declared_facts import forget_undeclared
from app.core.customer.instance import Instance, PendingStep
from app.core.customer.record import Customer
from app.core.rules.model import Rules
from app.core.rules.variants import steps_of
from app.core.triggers import journey
from app.core.triggers.decide import close_step

#: What orders timers: (fires at, -priority, trigger, customer, key, step, anchor)
TimerOrder = tuple[int, int, str, str, str, int, int]


def next_timer(customer: Customer, rules: Rules) -> tuple[Instance, PendingStep] | None:
    """The customer's next timer in the order of spec section 4; None without one."""
    due_ms = customer.next_due_ms()
    best: tuple[Instance, PendingStep] | None = None
    for instance in customer.open.with_timer_at(due_ms):
        for pending in instance.steps:
            if pending.fire_ms != due_ms or pending.parked:
                continue
            if best is not None:
                order = timer_order(customer, instance, pending, rules)
                if order >= timer_order(customer, best[0], best[1], rules):
                    continue
            best = instance, pending
    return best


def timer_order(
    customer: Customer, instance: Instance, pending: PendingStep, rules: Rules
) -> TimerOrder:
    """The sort key of a step's timer among all timers."""
    trigger = rules.triggers.get(instance.trigger)
    return (
        pending.fire_ms,
        0 if trigger is None else -trigger.priority,
        instance.trigger,
        customer.customer_id,
        instance.key,
        pending.step,
        instance.anchor_ms,
    )


def fire_timer(moment: DecisionContext, instance: Instance, pending: PendingStep) -> None:
    """Decide a step that is due; one that the rules no longer have is removed."""
    customer, rules = moment.customer, moment.rules
    if customer.facts_version != rules.facts_version:
        forget_undeclared(customer, rules.facts_version, rules.facts)
    decide_due(moment, instance, pending)


def decide_due(moment: DecisionContext, instance: Instance, pending: PendingStep) -> None:
    """Decide a step that is due; one that the rules no longer have is removed."""
    customer, rules = moment.customer, moment.rules
    trigger = rules.triggers.get(instance.trigger)
    if trigger is not None:
        steps = trigger.steps
        if trigger.experiment is not None:
            steps = steps_of(trigger, customer.customer_id, instance)
        if pending.step < len(steps):
            journey.decide_step(moment, trigger, instance, pending)
            return
    close_step(customer, instance, pending)
