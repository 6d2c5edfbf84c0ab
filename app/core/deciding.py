"""From a verdict to a decision: what is recorded, what is sent, what stays pending."""

from collections.abc import Mapping
from typing import Any

from app.core.arbitration import firing_ms
from app.core.content import template_of
from app.core.customer import Customer, Instance, PendingStep, Sent
from app.core.decisions import Decision, Outcome, Reason, SendRequest
from app.core.experiments import steps_of, variant_of
from app.core.gates import Verdict, judge
from app.core.memory import MAX_SENDS
from app.core.moment import Moment
from app.core.request_ids import request_id
from app.core.rules import Step, Trigger


def decide(moment: Moment, trigger: Trigger, instance: Instance, pending: PendingStep) -> None:
    """Put a due step through the gates, apply the verdict to the record and emit the decision."""
    rules, customer = moment.rules, moment.customer
    variant = (
        variant_of(trigger, customer.customer_id, instance.anchor_ms)
        if trigger.experiment is not None
        else None
    )
    step = (trigger.steps if variant is None else variant.steps)[pending.step]
    verdict = judge(rules, trigger, step, customer, instance, pending, moment.now_ms, variant)
    request: SendRequest | None = None
    fires_ms = pending.fire_ms
    identity = _identity(customer, instance, pending.step)
    if verdict.outcome is Outcome.DEFER:
        assert verdict.next_eligible_ms is not None
        pending.fire_ms = firing_ms(rules, trigger, verdict.next_eligible_ms)
        pending.deferred = True
        customer.timer_gone()
    else:
        close_step(customer, instance, pending)
        if verdict.outcome in (Outcome.SEND, Outcome.HOLDOUT):
            assert verdict.channel is not None
            if trigger.is_marketing or trigger.cancel:
                _remember_send(moment, trigger, instance, pending, verdict, identity, step)
            if verdict.outcome is Outcome.SEND:
                request = send_request(moment, trigger, verdict.channel, instance.data)
    moment.emit(_decision(moment, trigger, instance, pending, verdict, identity, request, fires_ms))


def drop_step(
    moment: Moment, trigger: Trigger, instance: Instance, pending: PendingStep, reason: Reason
) -> None:
    """Decide a deferred step whose instance has ended: ``suppress`` with that reason."""
    verdict = Verdict(outcome=Outcome.SUPPRESS, reason=reason)
    identity = _identity(moment.customer, instance, pending.step)
    moment.emit(_decision(moment, trigger, instance, pending, verdict, identity, None, None))


def close_step(customer: Customer, instance: Instance, pending: PendingStep) -> None:
    """The step is decided for good; with its last step the instance leaves the record."""
    instance.steps.remove(pending)
    customer.timer_gone()
    if not instance.steps:
        customer.instances.remove(instance)


def _remember_send(
    moment: Moment,
    trigger: Trigger,
    instance: Instance,
    pending: PendingStep,
    verdict: Verdict,
    identity: str,
    step: Step,
) -> None:
    """Put a send or ghost send into the windows; what no window can ask for any more goes."""
    customer, now_ms = moment.customer, moment.now_ms
    assert verdict.channel is not None
    oldest_ms = now_ms - moment.rules.memory_ms
    if customer.sends and customer.sends[0].decided_ms <= oldest_ms:
        customer.sends = [old for old in customer.sends if old.decided_ms > oldest_ms]
    customer.sends.append(
        Sent(
            now_ms,
            pending.due_ms,
            trigger.name,
            trigger.family,
            instance.key,
            instance.anchor_ms,
            pending.step,
            verdict.channel,
            trigger.is_marketing,
            verdict.outcome is Outcome.HOLDOUT,
            identity,
            instance.cause,
            experiment=_experiment(trigger, customer, instance),
            template=_unusual_template(moment, trigger, instance, pending, step),
        )
    )
    del customer.sends[:-MAX_SENDS]


def _experiment(trigger: Trigger, customer: Customer, instance: Instance) -> tuple[str, str] | None:
    """What experiment the instance is in, and with which variant."""
    if trigger.experiment is None:
        return None
    variant = variant_of(trigger, customer.customer_id, instance.anchor_ms)
    return None if variant is None else (trigger.experiment.name, variant.name)


def _unusual_template(
    moment: Moment, trigger: Trigger, instance: Instance, pending: PendingStep, step: Step
) -> str | None:
    template = template_of(step, instance.data, moment.customer, moment.now_ms)
    return None if template == trigger.steps[pending.step].template else template


def _identity(customer: Customer, instance: Instance, step: int) -> str:
    return request_id(
        instance.trigger, customer.customer_id, instance.key, instance.anchor_ms, step
    )


def send_request(
    moment: Moment, trigger: Trigger, channel: str, data: Mapping[str, Any], kind: str = "send"
) -> SendRequest:
    """The record for the channel senders: a send, or the recall of one."""
    customer, now_ms = moment.customer, moment.now_ms
    way = moment.rules.channels.get(channel)
    return SendRequest(
        kind,
        None if way is None else way.address(data, customer, now_ms),
        customer.profile.get("locale"),
        {token.name: token.value(data, customer, now_ms) for token in trigger.tokens},
    )


def _decision(
    moment: Moment,
    trigger: Trigger,
    instance: Instance,
    pending: PendingStep,
    verdict: Verdict,
    identity: str,
    request: SendRequest | None,
    fires_ms: int | None,
) -> Decision:
    customer = moment.customer
    step = steps_of(trigger, customer.customer_id, instance.anchor_ms)[pending.step]
    return Decision(
        request_id=identity,
        customer_id=customer.customer_id,
        trigger=trigger.name,
        key=instance.key,
        step=pending.step,
        category=trigger.category,
        priority=trigger.priority,
        outcome=verdict.outcome,
        reason=verdict.reason,
        channel=verdict.channel,
        template=template_of(step, instance.data, customer, moment.now_ms),
        anchor_ms=instance.anchor_ms,
        due_ms=pending.due_ms,
        decided_ms=moment.now_ms,
        expires_ms=pending.due_ms + trigger.expires_ms,
        fires_ms=fires_ms,
        next_eligible_ms=verdict.next_eligible_ms,
        gates=verdict.checks,
        cause=instance.cause,
        rules_version=moment.rules.version,
        experiment=_experiment(trigger, customer, instance),
        dispatch=request,
    )
