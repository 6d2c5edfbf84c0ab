"""Deciding a step, and what that means for the steps that count from it (spec section 5).

A step with ``from`` awaits what an earlier step leads to: its send, or the first delivery, open or
click of it: the first by the time at which it occurred, so that an earlier one which is read later
moves a step that does not wait yet. Until then its timer stands at the end of the journey, 60 days
after the anchor, when it goes undecided. It goes earlier once that can no more come: the named step
was decided and not sent, or it was a ghost send, which cannot be opened.
"""

from typing import Final

from app.core.context import DecisionContext, EventContext
from app.core.customer.instance import Instance, PendingStep
from app.core.customer.parts import Sent
from app.core.decisions import DEFER, HOLDOUT
from app.core.identity import request_id
from app.core.rules.arbitration import firing_ms
from app.core.rules.model import Rules, Trigger
from app.core.rules.step_marks import CLICKED, CONVERTED, DELIVERED, GHOST, OPENED, tell
from app.core.rules.variants import steps_of
from app.core.triggers.decide import decide, is_before_decisions
from app.core.triggers.instances import JOURNEY_MS
from app.core.triggers.parking import park

_MARKS_OF: Final = {
    "message_delivered": DELIVERED,
    "message_opened": OPENED,
    "message_clicked": OPENED | CLICKED,
}


def decide_step(
    moment: DecisionContext, trigger: Trigger, instance: Instance, pending: PendingStep
) -> None:
    """Decide a step whose time has come, and at once those that follow its send without delay.

    A step that still awaits something goes undecided: it can no more come. A marketing one waits
    while the partition is not current; one that was due before decisions begin is closed all the
    same, since nothing that is still unread could have it sent.
    """
    if pending.awaits:
        _drop(moment, trigger, instance, pending)
        return
    if trigger.is_marketing and not moment.is_current and not is_before_decisions(moment, pending):
        park(moment.customer, pending)
        return
    if trigger.entry and not trigger.kind.may_enter(moment, trigger, instance):
        return
    outcome = decide(moment, trigger, instance, pending)
    if not trigger.kind.is_anchored_at_event:
        trigger.kind.take_up(moment, trigger, instance)
    if trigger.is_journey and outcome is not DEFER:
        if outcome is HOLDOUT:
            tell(instance, pending.step, GHOST)
        _follow(moment, trigger, instance, pending.step)


def _follow(moment: DecisionContext, trigger: Trigger, instance: Instance, step: int) -> None:
    """The step was decided for good: schedule, decide or drop what awaits it."""
    is_sent = bool(instance.sent >> step & 1)
    is_ghost = (
        is_sent and step < len(instance.step_marks) and bool(instance.step_marks[step] & GHOST)
    )
    for pending in _awaiting(moment, trigger, instance, step):
        follows, after_ms = _plan_of(moment, trigger, instance, pending)
        if not is_sent or (follows and is_ghost):
            _drop(moment, trigger, instance, pending)
        elif not follows:
            _schedule(moment, trigger, instance, pending, moment.now_ms + after_ms)
            if pending.fire_ms <= moment.now_ms:
                decide_step(moment, trigger, instance, pending)


def _awaiting(
    moment: DecisionContext, trigger: Trigger, instance: Instance, step: int
) -> list[PendingStep]:
    return [p for p in _following(moment, trigger, instance, step) if p.awaits]


def _following(
    moment: DecisionContext, trigger: Trigger, instance: Instance, step: int
) -> list[PendingStep]:
    """The pending steps that count from that step, whether or not what they await has come."""
    steps = steps_of(trigger, moment.customer.customer_id, instance)
    found = []
    for pending in instance.steps:
        if pending.step < len(steps):
            follows = steps[pending.step].follows
            if follows is not None and follows.step == step:
                found.append(pending)
    return found


def _plan_of(
    moment: DecisionContext, trigger: Trigger, instance: Instance, pending: PendingStep
) -> tuple[int, int]:
    """The marks that an awaiting step counts from (0: the send), and its ``after``."""
    step = steps_of(trigger, moment.customer.customer_id, instance)[pending.step]
    assert step.follows is not None
    return step.follows.mark, step.after_ms


def _schedule(
    moment: DecisionContext,
    trigger: Trigger,
    instance: Instance,
    pending: PendingStep,
    due_ms: int,
) -> None:
    moment.customer.timer_gone(pending.fire_ms)
    pending.awaits = False
    pending.due_ms = due_ms
    pending.fire_ms = firing_ms(moment.rules, trigger, due_ms)
    moment.customer.timer_added(pending.fire_ms)


def _drop(
    moment: DecisionContext, trigger: Trigger, instance: Instance, pending: PendingStep
) -> None:
    """Let a step go undecided, and with it what awaits it."""
    customer = moment.customer
    instance.steps.remove(pending)
    customer.timer_gone(pending.fire_ms)
    for follower in _awaiting(moment, trigger, instance, pending.step):
        _drop(moment, trigger, instance, follower)
    if not instance.steps and instance in customer.instances:
        customer.instances.remove(instance)


def take_engagement(moment: EventContext) -> None:
    """Tell an open journey what came of one of its sends."""
    marks = _MARKS_OF.get(moment.type)
    named = moment.event.data.get("request_id")
    if marks is None or not isinstance(named, str):
        return
    for instance in moment.customer.instances:
        trigger = _journey_of(moment.rules, instance)
        if trigger is None:
            continue
        owner = instance.opened_by or moment.customer.customer_id
        for step in range(instance.sent.bit_length()):
            if not instance.sent >> step & 1:
                continue
            if request_id(trigger.name, owner, instance.key, instance.anchor_ms, step) == named:
                _take_marks(moment, trigger, instance, step, marks)
                return


def take_conversion(moment: EventContext, sent: Sent) -> None:
    """Tell an open journey that one of its sends, or ghost sends, was converted."""
    for instance in moment.customer.open.of(sent.trigger):
        if (
            instance.anchor_ms == sent.anchor_ms
            and instance.key == sent.key
            and instance.sent >> sent.step & 1
        ):
            tell(instance, sent.step, CONVERTED)
            return


def _journey_of(rules: Rules, instance: Instance) -> Trigger | None:
    if not instance.sent:
        return None
    trigger = rules.triggers.get(instance.trigger)
    return trigger if trigger is not None and trigger.is_journey else None


def _take_marks(
    moment: EventContext, trigger: Trigger, instance: Instance, step: int, marks: int
) -> None:
    if step < len(instance.step_marks) and instance.step_marks[step] & GHOST:
        return
    tell(instance, step, marks)
    if moment.occurred_ms > instance.anchor_ms + JOURNEY_MS:
        return
    for pending in _following(moment, trigger, instance, step):
        follows, after_ms = _plan_of(moment, trigger, instance, pending)
        due_ms = moment.occurred_ms + after_ms
        is_earlier = not pending.waits and due_ms < pending.due_ms
        if follows & marks and (pending.awaits or is_earlier):
            _schedule(moment, trigger, instance, pending, due_ms)
