"""Cancel events: they end what is open and recall what was sent too late to be right."""

import msgspec

from app.core.context import EventContext
from app.core.customer.limits import remember
from app.core.customer.parts import Sent
from app.core.decisions import Decision, Outcome, Reason
from app.core.recorded import SendRequest
from app.core.rules.model import Trigger
from app.core.triggers.decide import send_request
from app.core.triggers.entry import forget_sent
from app.core.triggers.instances import end_instance


def cancel(moment: EventContext, trigger: Trigger) -> None:
    """Apply a cancel event to one trigger: of the key that it carries, or of all keys.

    It ends instances whose anchor is not after it, but for the time that the trigger takes to
    settle. A send that was decided after it occurred, and not longer ago than the recall window,
    joins ``moment.recalled``. One whose conditions do not hold is no cancel event.
    """
    conditions = trigger.cancel_when.get(moment.type)
    if conditions is not None and not any(
        holds(moment.data, moment.customer, moment.now_ms) for holds in conditions
    ):
        return
    key = trigger.kind.key
    pattern = None if key is None else key.pattern_of(moment.data)
    _remember_cancel(moment, trigger, pattern)
    _recall(moment, trigger, pattern)
    for instance in moment.customer.open.of(trigger.name):
        if _covers(moment, trigger, pattern, instance.key, instance.anchor_ms):
            end_instance(moment, instance, Reason.CANCELLED)
            trigger.kind.take_cancelled(moment, trigger, instance)


def _covers(
    moment: EventContext, trigger: Trigger, pattern: str | None, key: str, anchor_ms: int
) -> bool:
    own = trigger.kind.key
    is_named = pattern is None or (own is not None and own.covers(pattern, key))
    return is_named and trigger.kind.is_over(moment, key, anchor_ms)


def _remember_cancel(moment: EventContext, trigger: Trigger, pattern: str | None) -> None:
    customer, occurred_ms = moment.customer, moment.occurred_ms
    if pattern is None:
        known_ms = customer.cancels_all_ms.get(trigger.name, occurred_ms)
        customer.cancels_all_ms[trigger.name] = max(known_ms, occurred_ms)
        return
    by_key = customer.cancels_ms.get(trigger.name)
    newest_ms = (
        occurred_ms if by_key is None else max(by_key.get(pattern, occurred_ms), occurred_ms)
    )
    remember(customer.cancels_ms, trigger.name, pattern, newest_ms)


def _recall(moment: EventContext, trigger: Trigger, pattern: str | None) -> None:
    for sent in moment.customer.send_log.of(trigger.name, moment.occurred_ms):
        if (
            sent.trigger == trigger.name
            and moment.now_ms - sent.decided_ms <= moment.rules.recall_window_ms
            and _covers(moment, trigger, pattern, sent.key, sent.anchor_ms)
        ):
            moment.recalled += ((trigger, sent),)


def take_back(moment: EventContext) -> list[Decision]:
    """Take the recalled sends out of the record; returns their decisions in the order of sends."""
    recalled = {id(sent): trigger for trigger, sent in moment.recalled}
    sends = moment.customer.sends
    moment.customer.sends = [sent for sent in sends if id(sent) not in recalled]
    decisions = []
    for sent in sends:
        trigger = recalled.get(id(sent))
        if trigger is not None:
            forget_sent(moment.customer, sent)
            decisions.append(_recall_decision(moment, trigger, sent))
    return decisions


def _recall_decision(moment: EventContext, trigger: Trigger, sent: Sent) -> Decision:
    """A ghost send is recalled as a send is, only that nothing goes out."""
    step = trigger.steps[sent.step] if sent.step < len(trigger.steps) else None
    return Decision(
        request_id=sent.request_id,
        customer_id=moment.customer.customer_id,
        trigger=sent.trigger,
        key=sent.key,
        step=sent.step,
        category=trigger.category,
        priority=trigger.priority,
        outcome=Outcome.RECALL,
        reason=Reason.CANCELLED,
        channel=sent.channel,
        template=sent.template or (None if step is None else step.template),
        anchor_ms=sent.anchor_ms,
        due_ms=sent.due_ms,
        decided_ms=moment.now_ms,
        expires_ms=sent.due_ms + trigger.expires_ms,
        cause=sent.cause,
        rules_version=moment.rules.version,
        experiment=sent.experiment,
        design=sent.design,
        segments=sent.segments,
        cluster=sent.cluster,
        merged_from=sent.opened_by,
        dispatch=None if sent.is_ghost else _recall_request(moment, trigger, sent),
    )


def _recall_request(moment: EventContext, trigger: Trigger, sent: Sent) -> SendRequest:
    """The content of the send; of a record that does not keep it, as it would be made now."""
    if sent.request is None:
        return send_request(moment, trigger, sent.channel, {}, kind="recall")
    return msgspec.structs.replace(sent.request, kind="recall")
