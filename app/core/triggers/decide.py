"""From a verdict to a decision: what is recorded, what is sent, what stays pending."""

from typing import Any

from app.core.attribution import order_of
from app.core.context import DecisionContext
from app.core.customer.addresses import sent_address
from app.core.customer.instance import Instance, PendingStep
from app.core.customer.limits import MAX_OLD_SENDS, MAX_SENDS, SEND_BYTES
from app.core.customer.parts import Sent
from app.core.customer.record import Customer
from app.core.decisions import (
    DEFER,
    HOLDOUT,
    RATE,
    REACH,
    SEND,
    SUPPRESS,
    Decision,
    Outcome,
    Reason,
)
from app.core.gates.judge import Verdict, judge
from app.core.identity import request_id
from app.core.recorded import SendRequest
from app.core.rules.arbitration import firing_ms
from app.core.rules.messages import Message, message_of
from app.core.rules.model import Trigger
from app.core.triggers.entry import remember_sent


def decide(
    moment: DecisionContext, trigger: Trigger, instance: Instance, pending: PendingStep
) -> Outcome:
    """Put a due step through the gates, apply the verdict to the record and emit the decision.

    A step that was due before decisions begin is closed and nothing else.
    """
    customer, due_ms = moment.customer, pending.due_ms
    if due_ms < moment.rules.decide_from_ms or due_ms < customer.decide_from_ms:
        trigger.kind.take_decided(moment, trigger, instance)
        close_step(customer, instance, pending)
        instance.decided |= 1 << pending.step
        return SUPPRESS
    message = message_of(trigger, pending.step, instance, customer, moment.now_ms)
    verdict = judge(moment, trigger, message, instance, pending)
    if verdict.slot is not None:
        channel, slot_ms = verdict.slot
        moment.rates.take(moment.rules.channels[channel], customer.customer_id, slot_ms)
    decision = _decision(moment, trigger, instance, pending, message, verdict)
    if verdict.outcome is DEFER:
        assert verdict.next_eligible_ms is not None
        customer.timer_gone(pending.fire_ms)
        pending.fire_ms = _fires_ms(moment, trigger, verdict.reason, verdict.next_eligible_ms)
        pending.deferred = True
        pending.was_patient |= verdict.reason is REACH
        if verdict.slot is not None:
            pending.slot = verdict.slot
        customer.timer_added(pending.fire_ms)
    else:
        if trigger.kind.is_counted:
            trigger.kind.take_decided(moment, trigger, instance)
        close_step(customer, instance, pending)
        instance.decided |= 1 << pending.step
        if verdict.channel is not None:
            request = send_request(moment, trigger, verdict.channel, instance.data)
            instance.sent |= 1 << pending.step
            if trigger.entry:
                remember_sent(customer, trigger, instance, pending.step)
            if verdict.outcome is SEND:
                decision.dispatch = request
            _remember_send(moment, trigger, instance, message, decision, request)
    moment.emit(decision)
    return verdict.outcome


def _fires_ms(moment: DecisionContext, trigger: Trigger, reason: Reason, next_ms: int) -> int:
    """When the timer of a deferred step fires. The slot of a rate is a now: it is not arbitrated
    and does not wait for the grace.
    """
    if reason is RATE:
        return next_ms - moment.rates.grace_ms
    return firing_ms(moment.rules, trigger, next_ms)


def is_before_decisions(moment: DecisionContext, pending: PendingStep) -> bool:
    """Whether the step was due before decisions begin, for all or for this customer."""
    due_ms = pending.due_ms
    return due_ms < moment.rules.decide_from_ms or due_ms < moment.customer.decide_from_ms


def drop_step(
    moment: DecisionContext,
    trigger: Trigger,
    instance: Instance,
    pending: PendingStep,
    reason: Reason,
    *,
    is_evicted: bool = False,
) -> None:
    """Decide a step that waits and whose instance has ended: ``suppress`` with that reason."""
    instance.decided |= 1 << pending.step
    if is_before_decisions(moment, pending):
        return
    verdict = Verdict(outcome=SUPPRESS, reason=reason)
    message = message_of(trigger, pending.step, instance, moment.customer, moment.now_ms)
    decision = _decision(moment, trigger, instance, pending, message, verdict)
    decision.is_evicted = is_evicted
    if moment.ended is None:
        moment.emit(decision)
    else:
        moment.ended.append(decision)


def close_step(customer: Customer, instance: Instance, pending: PendingStep) -> None:
    """The step is decided for good; with its last step the instance leaves the record."""
    instance.steps.remove(pending)
    customer.timer_gone(pending.fire_ms)
    if not instance.steps:
        customer.open.remove(instance)


def _remember_send(
    moment: DecisionContext,
    trigger: Trigger,
    instance: Instance,
    message: Message,
    decision: Decision,
    request: SendRequest,
) -> None:
    """Put a send or ghost send into the windows; what nothing can ask for any more goes."""
    customer, now_ms, channel = moment.customer, moment.now_ms, decision.channel
    assert channel is not None
    # by event time: after an outage what was done meanwhile has still to come
    oldest_ms = decision.due_ms - moment.rules.memory_ms
    log = customer.send_log
    if log.count() > MAX_OLD_SENDS and log.first_ms() <= oldest_ms:
        sends = log.all()
        older, last = sends[:-MAX_OLD_SENDS], sends[-MAX_OLD_SENDS:]
        log.replace([old for old in older if old.decided_ms > oldest_ms] + last)
    if trigger.cancel:
        _forget_requests(customer, now_ms - moment.rules.recall_window_ms)
    steps = trigger.steps
    usual = steps[decision.step].template if decision.step < len(steps) else None
    # by position: Python hands over more than 15 keywords in a dictionary
    sent = Sent(
        now_ms,
        decision.due_ms,
        trigger.name,
        trigger.family,
        instance.key,
        instance.anchor_ms,
        decision.step,
        channel,
        trigger.is_marketing,
        decision.outcome is HOLDOUT,
        decision.request_id,
        instance.cause,
        experiment=message.experiment,
        template=None if message.template == usual and not trigger.cancel else message.template,
        delivered_order=order_of(instance.data) if instance.is_delivery else None,
        segments=decision.segments,
        cluster=decision.cluster,
        design=decision.design,
        address=sent_address(moment.rules.feedback.fields.get(channel), request.address),
        request=decision.dispatch if trigger.cancel else None,
        opened_by=instance.opened_by,
    )
    log.add(sent, MAX_SENDS)
    customer.about_bytes += SEND_BYTES + instance.size


def _forget_requests(customer: Customer, before_ms: int) -> None:
    """What no recall can have to repeat any more is not kept."""
    log = customer.send_log
    if not log.count() or log.first_ms() >= before_ms:
        return
    for sent in log.all():
        if sent.request is not None and sent.decided_ms < before_ms:
            sent.request = None


def send_request(
    moment: DecisionContext,
    trigger: Trigger,
    channel: str,
    data: dict[str, Any],
    kind: str = "send",
) -> SendRequest:
    """The record for the channel senders: a send, or the recall of one."""
    customer, now_ms = moment.customer, moment.now_ms
    known = moment.rules.channels.get(channel)
    return SendRequest(
        kind,
        None if known is None else known.address(data, customer, now_ms),
        customer.profile.get("locale"),
        {token.name: token.value(data, customer, now_ms) for token in trigger.tokens},
    )


def _decision(
    moment: DecisionContext,
    trigger: Trigger,
    instance: Instance,
    pending: PendingStep,
    message: Message,
    verdict: Verdict,
) -> Decision:
    name, key, step = trigger.name, instance.key, pending.step
    customer, rules, now_ms = moment.customer, moment.rules, moment.now_ms
    customer_id, anchor_ms, due_ms = customer.customer_id, instance.anchor_ms, pending.due_ms
    owner = instance.opened_by or customer_id
    # by position: Python hands over more than 15 keywords in a dictionary
    return Decision(
        request_id(name, owner, key, anchor_ms, step),
        customer_id,
        name,
        key,
        step,
        trigger.category,
        trigger.priority,
        verdict.outcome,
        verdict.reason,
        verdict.channel,
        message.template,
        anchor_ms,
        due_ms,
        now_ms,
        due_ms + trigger.expires_ms,
        instance.cause,
        rules.version,
        pending.fire_ms,
        verdict.next_eligible_ms,
        verdict.checks,
        experiment=message.experiment,
        design=message.design,
        segments=[] if rules.segments_of is None else rules.segments_of(customer, now_ms),
        cluster=None if rules.cluster_of is None else rules.cluster_of(customer, now_ms),
        merged_from=instance.opened_by,
    )
