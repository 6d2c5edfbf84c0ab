"""The gates a step must pass, in the order of spec section 6.

Gates look at now, never at event time: they protect the customer at the time of sending.
"""

from dataclasses import dataclass
from typing import Final

from app.core.context import DecisionContext
from app.core.customer.facts import counting_sends
from app.core.customer.instance import Instance, PendingStep
from app.core.decisions import (
    DEFER,
    HOLDOUT,
    RATE,
    REACH,
    SEND,
    SUPPRESS,
    Check,
    Outcome,
    Reason,
)
from app.core.gates.channel import ChannelVerdict, channel_order, judge_channel
from app.core.gates.fatigue import is_fatigued
from app.core.gates.registry import Gate
from app.core.gates.review import Review
from app.core.gates.send_time import best_time_ms
from app.core.gates.usage import last_sent_ms
from app.core.identity import bucket_of
from app.core.rules.messages import Message
from app.core.rules.model import Holdout, SendTime, Trigger


@dataclass(slots=True, init=False)
class Verdict:
    """What the gates say; ``channel`` is the one that passed, None when none did.

    ``slot`` is the channel and the instant of the slot of a send rate that the step takes with it.
    """

    outcome: Outcome
    reason: Reason
    channel: str | None
    next_eligible_ms: int | None
    checks: tuple[Check, ...]
    slot: tuple[str, int] | None

    def __init__(
        self,
        *,
        outcome: Outcome,
        reason: Reason,
        channel: str | None = None,
        next_eligible_ms: int | None = None,
        checks: tuple[Check, ...] = (),
        slot: tuple[str, int] | None = None,
    ) -> None:
        self.outcome = outcome
        self.reason = reason
        self.channel = channel
        self.next_eligible_ms = next_eligible_ms
        self.checks = checks
        self.slot = slot


_PASSED: Final = Reason.PASSED
_HELD_OUT: Final = Reason.HOLDOUT
_CONDITION: Final = Gate.CONDITION.value
_COOLDOWN: Final = Gate.COOLDOWN.value
_HOLDOUT: Final = Gate.HOLDOUT.value
_OF_TEMPLATE: Final = "template"
_IN_TIME: Final[Check] = (Gate.EXPIRED.value, True, None)
_TOO_LATE: Final[Check] = (Gate.EXPIRED.value, False, None)
#: Whether the trigger's condition holds, and the step's own.
_HOLDS: Final[Check] = (_CONDITION, True, None)
_FAILS: Final[Check] = (_CONDITION, False, None)
_STEP_HOLDS: Final[Check] = (_CONDITION, True, None, "step")
_STEP_FAILS: Final[Check] = (_CONDITION, False, None, "step")


def judge(
    moment: DecisionContext,
    trigger: Trigger,
    message: Message,
    instance: Instance,
    pending: PendingStep,
) -> Verdict:
    """Check one step, as its message has it, against its gates at the moment's now."""
    review = Review(
        rules=moment.rules,
        rates=moment.rates,
        customer=moment.customer,
        trigger=trigger,
        message=message,
        instance=instance,
        pending=pending,
        now_ms=moment.now_ms,
        last_ms=pending.due_ms + trigger.expires_ms,
        checks=[],
    )
    failed = _expiry_and_conditions(review)
    if failed is None and trigger.is_marketing:
        fatigue = review.rules.fatigue
        if fatigue is not None:
            review.fatigued = is_fatigued(review.customer, fatigue, review.now_ms, review.checks)
        if review.customer.send_log.count():
            oldest_ms = review.now_ms - review.rules.limits_ms
            review.recent = counting_sends(review.customer, oldest_ms)
        failed = _cooldown(review)
    if failed is not None:
        return Verdict(outcome=SUPPRESS, reason=failed, checks=tuple(review.checks))
    verdicts: list[ChannelVerdict] = []
    for name in channel_order(message.step, review.customer, review.now_ms):
        verdict = judge_channel(review, review.rules.channels[name])
        if verdict.failed is None:
            if message.step.send_time is not None:
                better_ms = _better_time(review, message.step.send_time)
                if better_ms is not None:
                    return _defer(better_ms, Reason.SEND_TIME, review)
            return _pass(review, name, verdict.slot)
        verdicts.append(verdict)
    return _wait_or_suppress(review, verdicts)


def _better_time(review: Review, send_time: SendTime) -> int | None:
    """When the step should rather go; None: now."""
    return best_time_ms(
        send_time,
        review.customer,
        review.timezone(),
        review.pending.due_ms,
        review.now_ms,
        review.last_ms,
        review.checks,
    )


def _expiry_and_conditions(review: Review) -> Reason | None:
    """The first two gates, which hold for every category: the conditions are the trigger's, the
    step's own, and that one of several templates fits.
    """
    checks, now_ms, customer = review.checks, review.now_ms, review.customer
    is_fresh = now_ms <= review.last_ms
    checks.append(_IN_TIME if is_fresh else _TOO_LATE)
    if not is_fresh:
        return Reason.EXPIRED
    trigger, message, instance = review.trigger, review.message, review.instance
    if trigger.when is not None:
        holds = trigger.when(instance.data, customer, now_ms)
        checks.append(_HOLDS if holds else _FAILS)
        if not holds:
            return Reason.CONDITION
    step = message.step
    if step.when is not None:
        holds = step.when(message.data, customer, now_ms)
        checks.append(_STEP_HOLDS if holds else _STEP_FAILS)
        if not holds:
            return Reason.CONDITION
    if step.template is None:
        fits = message.template is not None
        checks.append((_CONDITION, fits, None, _OF_TEMPLATE, message.template))
        if not fits:
            return Reason.CONDITION
    return None


def _cooldown(review: Review) -> Reason | None:
    trigger = review.trigger
    cooldown = review.message.cooldown or trigger.cooldown
    cooldown_ms = cooldown.fatigued_ms if review.fatigued else cooldown.usual_ms
    if not cooldown_ms:
        return None
    after_ms = review.now_ms - cooldown_ms
    since_ms = last_sent_ms(review.recent, trigger, review.instance, after_ms)
    review.checks.append((_COOLDOWN, since_ms is None, None, trigger.family, cooldown_ms, since_ms))
    return None if since_ms is None else Reason.COOLDOWN


def _pass(review: Review, channel: str, slot: tuple[str, int] | None) -> Verdict:
    """A channel passed everything: send, unless the customer or the variant is held out."""
    trigger, message = review.trigger, review.message
    held_out = False
    if trigger.is_marketing:
        if review.rules.holdout is not None:
            held_out = _is_held_out(review, review.rules.holdout, None)
        if trigger.holdout is not None:
            held_out = _is_held_out(review, trigger.holdout, trigger.name) or held_out
    if message.is_ghost and not held_out:
        assert message.experiment is not None
        held_out = True
        review.checks.append((_HOLDOUT, False, None, None, None, None, *message.experiment))
    return Verdict(
        outcome=HOLDOUT if held_out else SEND,
        reason=_HELD_OUT if held_out else _PASSED,
        channel=channel,
        checks=tuple(review.checks),
        slot=slot,
    )


def _is_held_out(review: Review, holdout: Holdout, trigger: str | None) -> bool:
    bucket = bucket_of(holdout.salt, review.customer.customer_id)
    held_out = bucket < holdout.below
    review.checks.append((_HOLDOUT, not held_out, None, bucket, holdout.below, trigger))
    return held_out


def _wait_or_suppress(review: Review, verdicts: list[ChannelVerdict]) -> Verdict:
    """Defer to the earliest time at which waiting helps, else suppress as the first channel was."""
    waits = [(each.wait, each.slot) for each in verdicts if each.wait is not None]
    if waits:
        (next_ms, reason), slot = min(waits, key=lambda wait: wait[0][0])
        if next_ms <= review.last_ms:
            return _defer(next_ms, reason, review, slot if reason is RATE else None)
    elif not review.trigger.is_marketing and _is_patient(review, verdicts):
        patience_ms = review.now_ms + review.rules.profile_patience_ms
        return _defer(min(patience_ms, review.last_ms), REACH, review)
    assert verdicts[0].failed is not None
    return Verdict(outcome=SUPPRESS, reason=verdicts[0].failed, checks=tuple(review.checks))


def _is_patient(review: Review, verdicts: list[ChannelVerdict]) -> bool:
    """Whether no channel reaches a customer of whom no profile update was applied yet, and the step
    has not waited for one.
    """
    return (
        not review.customer.has_profile
        and not review.pending.was_patient
        and review.rules.profile_patience_ms > 0
        and all(verdict.failed is REACH for verdict in verdicts)
    )


def _defer(
    next_ms: int, reason: Reason, review: Review, slot: tuple[str, int] | None = None
) -> Verdict:
    return Verdict(
        outcome=DEFER,
        reason=reason,
        next_eligible_ms=next_ms,
        checks=tuple(review.checks),
        slot=slot,
    )
