"""The gates a step must pass, in the order of spec section 6.

Gates look at now, never at event time: they protect a person who lives now.
"""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from app.core import gate_checks
from app.core.content import Message
from app.core.customer import Customer, Instance, PendingStep
from app.core.decisions import Check, Outcome, Reason
from app.core.fatigue import is_fatigued
from app.core.request_ids import BUCKETS, bucket_of
from app.core.rules import Channel, Rules, Step, Trigger
from app.core.send_time import best_time_ms
from app.core.suppression import suppression_of
from app.core.zones import is_inside, local, next_local_time, zone


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the gates say; ``channel`` is the one that passed, None when none did."""

    outcome: Outcome
    reason: Reason
    channel: str | None = None
    next_eligible_ms: int | None = None
    checks: tuple[Check, ...] = ()


class _ChannelVerdict(msgspec.Struct, frozen=True, gc=False):
    """The first failing check of one channel (None: it passed).

    ``wait`` is until when (epoch ms) waiting would help, and for what; None when it would not.
    """

    failed: Reason | None = None
    wait: tuple[int, Reason] | None = None


_PASSED = _ChannelVerdict()


def judge(
    rules: Rules,
    trigger: Trigger,
    message: Message,
    customer: Customer,
    instance: Instance,
    pending: PendingStep,
    now_ms: int,
) -> Verdict:
    """Put one step, as its message has it, through its gates at ``now_ms``."""
    step = message.step
    checks: list[Check] = []
    last_ms = pending.due_ms + trigger.expires_ms
    is_tired = False
    failed = _expiry_and_conditions(trigger, message, customer, instance, now_ms, last_ms, checks)
    if failed is None and trigger.is_marketing:
        is_tired = rules.fatigue is not None and is_fatigued(
            customer, rules.fatigue, now_ms, checks
        )
        failed = _cooldown(rules, trigger, customer, instance, now_ms, is_tired, checks)
    if failed is not None:
        return Verdict(outcome=Outcome.SUPPRESS, reason=failed, checks=tuple(checks))
    verdicts: list[_ChannelVerdict] = []
    for name in channel_order(step, customer.profile):
        channel = rules.channels[name]
        verdict = _judge_channel(
            rules, trigger.is_marketing, customer, channel, now_ms, is_tired, checks
        )
        if verdict.failed is None:
            if step.send_time is not None:
                tz = _zone(rules, customer)
                better_ms = best_time_ms(
                    step.send_time, customer, tz, pending.due_ms, now_ms, last_ms, checks
                )
                if better_ms is not None:
                    return _defer(better_ms, Reason.SEND_TIME, checks)
            return _pass(rules, trigger, customer, name, message, checks)
        verdicts.append(verdict)
    return _wait_or_suppress(verdicts, last_ms, checks)


def channel_order(step: Step, profile: Mapping[str, Any]) -> tuple[str, ...] | list[str]:
    """The step's channels: those the customer prefers first, then the others in step order."""
    preferred = profile.get("channels")
    if not preferred:
        return step.channels
    first = [name for name in preferred if name in step.channels]
    return first + [name for name in step.channels if name not in first]


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
    checks.append(gate_checks.EXPIRED[is_fresh])
    if not is_fresh:
        return Reason.EXPIRED
    if trigger.when is not None:
        holds = trigger.when(instance.data, customer, now_ms)
        checks.append(gate_checks.CONDITION[holds])
        if not holds:
            return Reason.CONDITION
    step = message.step
    if step.when is not None:
        holds = step.when(instance.data, customer, now_ms)
        checks.append(gate_checks.STEP_CONDITION[holds])
        if not holds:
            return Reason.CONDITION
    if step.template is None:
        checks.append(gate_checks.content(message.template))
        if message.template is None:
            return Reason.CONDITION
    return None


def _cooldown(
    rules: Rules,
    trigger: Trigger,
    customer: Customer,
    instance: Instance,
    now_ms: int,
    is_tired: bool,
    checks: list[Check],
) -> Reason | None:
    cooldown_ms = rules.fatigue.cooldown_ms if is_tired and rules.fatigue else rules.cooldown_ms
    if not cooldown_ms:
        return None
    since_ms = _last_of_family(customer, trigger, instance, now_ms - cooldown_ms)
    checks.append(gate_checks.cooldown(trigger.family, cooldown_ms, since_ms))
    return None if since_ms is None else Reason.COOLDOWN


def _last_of_family(
    customer: Customer, trigger: Trigger, instance: Instance, after_ms: int
) -> int | None:
    """The newest send of the family at t > ``after_ms`` that another instance made."""
    newest: int | None = None
    for sent in customer.sends:
        if (
            sent.decided_ms > after_ms
            and sent.is_marketing
            and sent.family == trigger.family
            and not (
                sent.anchor_ms == instance.anchor_ms
                and sent.key == instance.key
                and sent.trigger == instance.trigger
            )
            and (newest is None or sent.decided_ms > newest)
        ):
            newest = sent.decided_ms
    return newest


def _judge_channel(
    rules: Rules,
    is_marketing: bool,
    customer: Customer,
    channel: Channel,
    now_ms: int,
    is_tired: bool,
    checks: list[Check],
) -> _ChannelVerdict:
    name = channel.name
    has_address = bool(channel.address({}, customer, now_ms))
    checks.append(gate_checks.reach(name, has_address, channel.requires))
    if not has_address:
        return _ChannelVerdict(Reason.REACH)
    if is_marketing:
        consent = customer.profile.get("consent")
        given = consent.get(name) if consent else None
        consents = channel.consent_default if given is None else given
        checks.append(gate_checks.consent(name, consents, given))
        if not consents:
            return _ChannelVerdict(Reason.CONSENT)
    cause = suppression_of(customer, name, channel.requires)
    if not is_marketing and cause == "unsubscribed":
        cause = None
    checks.append(gate_checks.suppressed(name, cause))
    if cause is not None:
        return _ChannelVerdict(Reason.SUPPRESSED)
    if not is_marketing:
        return _PASSED
    cap_ms = _next_under_caps(channel, customer, now_ms, is_tired, checks)
    quiet_ms = _next_after_quiet(rules, customer, name, now_ms, checks)
    if cap_ms is None and quiet_ms is None:
        return _PASSED
    # A channel that fails both waits for the later; when they are the same, quiet names it.
    if quiet_ms is not None and (cap_ms is None or quiet_ms >= cap_ms):
        wait = quiet_ms, Reason.QUIET
    else:
        assert cap_ms is not None
        wait = cap_ms, Reason.CAP
    return _ChannelVerdict(Reason.QUIET if cap_ms is None else Reason.CAP, wait)


def _next_under_caps(
    channel: Channel,
    customer: Customer,
    now_ms: int,
    is_tired: bool,
    checks: list[Check],
) -> int | None:
    """When enough sends will have left the windows of the caps that are full; None: none is."""
    latest_ms: int | None = None
    sends = customer.sends
    for cap in channel.caps:
        only, after_ms = cap.channel, now_ms - cap.per_ms
        sent_ms = [
            sent.decided_ms
            for sent in sends
            if sent.decided_ms > after_ms
            and sent.is_marketing
            and (only is None or sent.channel == only)
        ]
        count = len(sent_ms)
        limit = cap.tired_limit if is_tired else cap.limit
        checks.append(gate_checks.cap(channel.name, count, limit, cap.per_ms, only))
        if count >= limit:
            sent_ms.sort()
            free_ms = sent_ms[count - limit] + cap.per_ms
            latest_ms = free_ms if latest_ms is None else max(latest_ms, free_ms)
    return latest_ms


def _next_after_quiet(
    rules: Rules, customer: Customer, channel: str, now_ms: int, checks: list[Check]
) -> int | None:
    """The next end of the quiet hours when now is inside them; None otherwise."""
    quiet = rules.quiet_hours
    if quiet is None or channel not in quiet.channels:
        return None
    tz = _zone(rules, customer)
    wall = local(now_ms, tz)
    minute = wall.hour * 60 + wall.minute
    is_quiet = is_inside(minute, quiet.start, quiet.end)
    checks.append(gate_checks.quiet(channel, not is_quiet, minute, tz.key))
    return next_local_time(now_ms, quiet.end, tz) if is_quiet else None


def _zone(rules: Rules, customer: Customer) -> ZoneInfo:
    name = customer.profile.get("timezone")
    return rules.timezone if name is None else zone(name)


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
        checks.append(gate_checks.holdout(bucket, limit))
    if message.is_ghost and not held_out:
        assert message.experiment is not None
        held_out = True
        checks.append(gate_checks.ghost(*message.experiment))
    return Verdict(
        outcome=Outcome.HOLDOUT if held_out else Outcome.SEND,
        reason=Reason.HOLDOUT if held_out else Reason.PASSED,
        channel=channel,
        checks=tuple(checks),
    )


def _wait_or_suppress(
    verdicts: list[_ChannelVerdict], last_ms: int, checks: list[Check]
) -> Verdict:
    """Defer to the earliest time at which waiting helps, else suppress as the first channel was."""
    waits = [verdict.wait for verdict in verdicts if verdict.wait is not None]
    if waits:
        next_ms, reason = min(waits, key=lambda wait: wait[0])
        if next_ms <= last_ms:
            return _defer(next_ms, reason, checks)
    assert verdicts[0].failed is not None
    return Verdict(outcome=Outcome.SUPPRESS, reason=verdicts[0].failed, checks=tuple(checks))


def _defer(next_ms: int, reason: Reason, checks: list[Check]) -> Verdict:
    return Verdict(
        outcome=Outcome.DEFER, reason=reason, next_eligible_ms=next_ms, checks=tuple(checks)
    )
