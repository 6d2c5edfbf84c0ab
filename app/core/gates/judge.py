"""The gates a step must pass, in the order of spec section 6.

Gates look at now, never at event time: they protect a person who lives now.
"""

from typing import Final

import msgspec

from app.core.customer.record import Customer, Instance, PendingStep
from app.core.decisions import DEFER, HOLDOUT, SEND, SUPPRESS, Check, Outcome, Reason
from app.core.gates import evidence
from app.core.gates.channel import ChannelVerdict, channel_order, judge_channel
from app.core.gates.fatigue import is_fatigued
from app.core.gates.send_time import best_time_ms
from app.core.gates.usage import cooldown_of, last_sent_ms
from app.core.identity import BUCKETS, bucket_of
from app.core.rules.messages import Message
from app.core.rules.model import Rules, Trigger
from app.core.rules.zone import zone_of


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the gates say; ``channel`` is the one that passed, None when none did."""

    outcome: Outcome
    reason: Reason
    channel: str | None = None
    next_eligible_ms: int | None = None
    checks: tuple[Check, ...] = ()


_PASSED: Final = Reason.PASSED
_HELD_OUT: Final = Reason.HOLDOUT


def judge(
    rules: Rules,
    trigger: Trigger,
    message: Message,
    customer: Customer,
    instance: Instance,
    pending: PendingStep,
    now_ms: int,
) -> Verdict:
    """Check one step, as its message has it, against its gates at ``now_ms``."""
    step = message.step
    checks: list[Check] = []
    last_ms = pending.due_ms + trigger.expires_ms
    fatigued = False
    failed = _expiry_and_conditions(trigger, message, customer, instance, now_ms, last_ms, checks)
    if failed is None and trigger.is_marketing:
        fatigued = rules.fatigue is not None and is_fatigued(
            customer, rules.fatigue, now_ms, checks
        )
        failed = _cooldown(rules, trigger, message, customer, instance, now_ms, fatigued, checks)
    if failed is not None:
        return Verdict(outcome=SUPPRESS, reason=failed, checks=tuple(checks))
    verdicts: list[ChannelVerdict] = []
    for name in channel_order(step, customer.profile):
        channel = rules.channels[name]
        verdict = judge_channel(
            rules, trigger.is_marketing, customer, channel, now_ms, fatigued, checks
        )
        if verdict.failed is None:
            if step.send_time is not None:
                tz = zone_of(rules, customer)
                better_ms = best_time_ms(
                    step.send_time, customer, tz, pending.due_ms, now_ms, last_ms, checks
                )
                if better_ms is not None:
                    return _defer(better_ms, Reason.SEND_TIME, checks)
            return _pass(rules, trigger, customer, name, message, checks)
        verdicts.append(verdict)
    return _wait_or_suppress(verdicts, last_ms, checks)


def _expiry_and_conditions(
    trigger: Trigger,
    message: Message,
    customer: Customer,
    instance: Instance,
    now_ms: int,
    last_ms: int,
    checks: list[Check],
) -> Reason | None:
    """The first two gates, which hold for every category: the conditions are the trigger's, the
    step's own, and that one of several templates fits.
    """
    is_fresh = now_ms <= last_ms
    checks.append(evidence.expired(passed=is_fresh))
    if not is_fresh:
        return Reason.EXPIRED
    if trigger.when is not None:
        holds = trigger.when(instance.data, customer, now_ms)
        checks.append(evidence.condition(passed=holds))
        if not holds:
            return Reason.CONDITION
    step = message.step
    if step.when is not None:
        holds = step.when(instance.data, customer, now_ms)
        checks.append(evidence.step_condition(passed=holds))
        if not holds:
            return Reason.CONDITION
    if step.template is None:
        checks.append(evidence.content(message.template))
        if message.template is None:
            return Reason.CONDITION
    return None


def _cooldown(
    rules: Rules,
    trigger: Trigger,
    message: Message,
    customer: Customer,
    instance: Instance,
    now_ms: int,
    fatigued: bool,
    checks: list[Check],
) -> Reason | None:
    cooldown_ms = cooldown_of(rules, fatigued=fatigued)
    if message.cooldown is not None:
        cooldown_ms = message.cooldown[fatigued]
    if not cooldown_ms:
        return None
    since_ms = last_sent_ms(customer, trigger, instance, now_ms - cooldown_ms)
    checks.append(evidence.cooldown(trigger.family, cooldown_ms, since_ms))
    return None if since_ms is None else Reason.COOLDOWN


def _pass(
    rules: Rules,
    trigger: Trigger,
    customer: Customer,
    channel: str,
    message: Message,
    checks: list[Check],
) -> Verdict:
    """A channel passed everything: send, unless the customer or the variant is held out."""
    held_out = False
    if trigger.is_marketing and rules.holdout is not None:
        bucket = bucket_of(rules.holdout.salt, customer.customer_id)
        limit = round(rules.holdout.percent * (BUCKETS / 100), 6)
        held_out = bucket < limit
        checks.append(evidence.holdout(bucket, limit))
    if message.is_ghost and not held_out:
        assert message.experiment is not None
        held_out = True
        checks.append(evidence.ghost(*message.experiment))
    return Verdict(
        outcome=HOLDOUT if held_out else SEND,
        reason=_HELD_OUT if held_out else _PASSED,
        channel=channel,
        checks=tuple(checks),
    )


def _wait_or_suppress(verdicts: list[ChannelVerdict], last_ms: int, checks: list[Check]) -> Verdict:
    """Defer to the earliest time at which waiting helps, else suppress as the first channel was."""
    waits = [verdict.wait for verdict in verdicts if verdict.wait is not None]
    if waits:
        next_ms, reason = min(waits, key=lambda wait: wait[0])
        if next_ms <= last_ms:
            return _defer(next_ms, reason, checks)
    assert verdicts[0].failed is not None
    return Verdict(outcome=SUPPRESS, reason=verdicts[0].failed, checks=tuple(checks))


def _defer(next_ms: int, reason: Reason, checks: list[Check]) -> Verdict:
    return Verdict(outcome=DEFER, reason=reason, next_eligible_ms=next_ms, checks=tuple(checks))
