"""Cancel events: they end what is open and recall what was sent too late to be right."""

import msgspec

from app.core.context import EventContext
from app.core.customer.limits import remember
from app.core.customer.record import Sent
from app.core.decisions import Decision, Outcome, Reason, SendRequest
from app.core.rules.keys import key_of
from app.core.rules.model import Trigger
from app.core.triggers.decide import send_request
from app.core.triggers.instances import end_instance, open_instances


def cancel(moment: EventContext, trigger: Trigger) -> None:
    """Apply a cancel event to one trigger: of the key that it carries, or of all keys.

    It ends instances whose anchor is not after it. A send that was decided after it occurred, and
    not longer ago than the recall window, is recalled.
    """
    field = trigger.key_field
    key = key_of(moment.data, field) if field is not None else None
    _remember_cancel(moment, trigger, key)
    _recall(moment, trigger, key)
    for instance in open_instances(moment.customer, trigger):
        if key in (None, instance.key) and instance.anchor_ms <= moment.occurred_ms:
            end_instance(moment, instance, Reason.CANCELLED)
            trigger.kind.take_cancelled(moment, trigger, instance)


def _remember_cancel(moment: EventContext, trigger: Trigger, key: str | None) -> None:
    customer, occurred_ms = moment.customer, moment.occurred_ms
    if key is None:
        known_ms = customer.cancels_all_ms.get(trigger.name, occurred_ms)
        customer.cancels_all_ms[trigger.name] = max(known_ms, occurred_ms)
        return
    known_ms = customer.cancels_ms.get(trigger.name, {}).get(key, occurred_ms)
    remember(customer.cancels_ms, trigger.name, key, max(known_ms, occurred_ms))


def _recall(moment: EventContext, trigger: Trigger, key: str | None) -> None:
    customer = moment.customer
    recalled = [
        sent
        for sent in customer.sends
        if sent.trigger == trigger.name
        and key in (None, sent.key)
        and sent.anchor_ms <= moment.occurred_ms < sent.decided_ms
        and moment.now_ms - sent.decided_ms <= moment.rules.recall_window_ms
    ]
    for sent in sorted(recalled, key=lambda sent: (sent.key, sent.step, sent.anchor_ms)):
        customer.sends.remove(sent)
        moment.emit(_recall_decision(moment, trigger, sent))


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
        dispatch=None if sent.is_ghost else _recall_request(moment, trigger, sent),
    )


def _recall_request(moment: EventContext, trigger: Trigger, sent: Sent) -> SendRequest:
    """What the send said; of a record that does not keep it, as it would be said now."""
    if sent.request is None:
        return send_request(moment, trigger, sent.channel, {}, kind="recall")
    return msgspec.structs.replace(sent.request, kind="recall")
