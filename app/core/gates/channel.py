"""The gates of one channel: reach, consent, suppression, caps, quiet hours, window and rate."""

from dataclasses import dataclass
from typing import Final

from app.core.customer.record import Customer
from app.core.customer.suppression import suppression_of
from app.core.decisions import CAP, QUIET, RATE, WINDOW, Reason
from app.core.gates import usage
from app.core.gates.registry import Gate
from app.core.gates.review import Review
from app.core.rules.model import Channel, Step
from app.core.time.zones import local

#: A wait with its reason, in the order in which equal times are named.
Wait = tuple[int, Reason]


@dataclass(slots=True, init=False)
class ChannelVerdict:
    """The first failing check of one channel (None: it passed).

    ``wait`` is until when (epoch ms) waiting would help, and for what; None when it would not.
    ``slot`` is the channel and the instant of the slot of its send rate that the step takes when it
    goes, or when it waits for the rate.
    """

    failed: Reason | None
    wait: Wait | None
    slot: tuple[str, int] | None

    def __init__(
        self,
        failed: Reason | None = None,
        wait: Wait | None = None,
        slot: tuple[str, int] | None = None,
    ) -> None:
        self.failed = failed
        self.wait = wait
        self.slot = slot


_REACH: Final = Gate.REACH.value
_CONSENT: Final = Gate.CONSENT.value
_SUPPRESSED_BY: Final = Gate.SUPPRESSED.value
_CAP: Final = Gate.CAP.value
_QUIET: Final = Gate.QUIET.value
_WINDOW: Final = Gate.WINDOW.value
_RATE: Final = Gate.RATE.value

_PASSED: Final = ChannelVerdict()
_UNREACHABLE: Final = ChannelVerdict(Reason.REACH)
_NOT_WANTED: Final = ChannelVerdict(Reason.CONSENT)
_SUPPRESSED: Final = ChannelVerdict(Reason.SUPPRESSED)


def channel_order(step: Step, customer: Customer, now_ms: int) -> tuple[str, ...] | list[str]:
    """The step's channels: the best by the model where the step asks for it, then those the
    customer prefers, then the others in step order.
    """
    preferred = customer.profile.get("channels")
    if step.best is not None:
        best = step.best({}, customer, now_ms)
        preferred = [best, *(name for name in preferred or () if name != best)]
    if not preferred:
        return step.channels
    first = [name for name in preferred if name in step.channels]
    return first + [name for name in step.channels if name not in first]


def judge_channel(review: Review, channel: Channel) -> ChannelVerdict:
    """Check the gates of one channel up to the first that waiting cannot open."""
    customer, checks, name = review.customer, review.checks, channel.name
    is_marketing = review.trigger.is_marketing
    reachable = bool(channel.address({}, customer, review.now_ms))
    checks.append((_REACH, reachable, name, channel.requires))
    if not reachable:
        return _UNREACHABLE
    if is_marketing:
        consents, given = usage.consent_of(customer, channel)
        checks.append((_CONSENT, consents, name, given))
        if not consents:
            return _NOT_WANTED
    cause = None
    if customer.unsubscribed_ms or customer.bounced_ms or customer.complained_ms:
        cause = suppression_of(customer, name, channel.requires)
    if not is_marketing and cause == "unsubscribed":
        cause = None
    checks.append((_SUPPRESSED_BY, cause is None, name, cause))
    if cause is not None:
        return _SUPPRESSED
    if not is_marketing:
        return _PASSED
    return _judge_limits(review, channel)


def _judge_limits(review: Review, channel: Channel) -> ChannelVerdict:
    """The gates that time opens. All of those that the rules have are asked."""
    rules, name = review.rules, channel.name
    cap_ms = _next_under_caps(review, name) if review.trigger.caps[name] else None
    quiet_ms = _next_after_quiet(review, name) if name in rules.quiet_windows else None
    window_ms = _next_in_window(review, name) if review.message.step.deliver is not None else None
    rate_ms, slot = _next_in_rate(review, channel) if channel.rates else (None, None)
    if cap_ms is None and quiet_ms is None and window_ms is None and rate_ms is None:
        return _PASSED if slot is None else ChannelVerdict(slot=slot)
    waits = (
        (quiet_ms, QUIET),
        (cap_ms, CAP),
        (window_ms, WINDOW),
        (rate_ms, RATE),
    )
    return ChannelVerdict(_first_failure(cap_ms, quiet_ms, window_ms), _latest(waits), slot)


def _first_failure(cap_ms: int | None, quiet_ms: int | None, window_ms: int | None) -> Reason:
    """The first failing check in the order in which they are made; the rate's is the last."""
    if cap_ms is not None:
        return CAP
    if quiet_ms is not None:
        return QUIET
    return RATE if window_ms is None else WINDOW


def _latest(waits: tuple[tuple[int | None, Reason], ...]) -> Wait:
    """The latest of the times, the first of equal ones."""
    latest: Wait | None = None
    for next_ms, reason in waits:
        if next_ms is not None and (latest is None or next_ms > latest[0]):
            latest = next_ms, reason
    assert latest is not None
    return latest


def _next_under_caps(review: Review, channel: str) -> int | None:
    """When enough sends will have left the windows of the caps that are full; None: none is."""
    latest_ms: int | None = None
    recent, now_ms, fatigued, checks = review.recent, review.now_ms, review.fatigued, review.checks
    for cap in review.trigger.caps[channel]:
        count, limit, free_ms = usage.cap_use(recent, cap, now_ms, fatigued=fatigued)
        only, family, trigger = cap.channel, cap.family, cap.trigger
        checks.append(
            (_CAP, count < limit, channel, count, limit, cap.per_ms, only, family, trigger)
        )
        if free_ms is not None and (latest_ms is None or free_ms > latest_ms):
            latest_ms = free_ms
    return latest_ms


def _next_after_quiet(review: Review, channel: str) -> int | None:
    """The end of the quiet hours when now is inside them; None otherwise."""
    quiet = usage.quiet_of(review.customer, review.rules, channel, review.now_ms)
    if quiet is None:
        return None
    is_out = quiet.until_ms is None
    review.checks.append((_QUIET, is_out, channel, quiet.minute, quiet.timezone))
    return quiet.until_ms


def _next_in_window(review: Review, channel: str) -> int | None:
    """The next opening of the delivery window when now is outside it; None otherwise."""
    deliver = review.step.deliver
    assert deliver is not None
    tz, now_ms = review.timezone(), review.now_ms
    next_ms = usage.next_delivery_ms(deliver, review.pending.due_ms, now_ms, tz)
    local_time = local(now_ms, tz)
    is_inside = next_ms == now_ms
    minute = local_time.hour * 60 + local_time.minute
    review.checks.append((_WINDOW, is_inside, channel, minute, tz.key))
    if is_inside:
        return None
    return review.last_ms + 1 if next_ms is None else next_ms


def _next_in_rate(review: Review, channel: Channel) -> tuple[int | None, tuple[str, int] | None]:
    """The slot to wait for (None: the step may go now), and the slot that it is to take, if any.

    A step that kept a slot may go from it to the beginning of the next one without another.
    """
    name, now_ms = channel.name, review.now_ms
    slot = review.rates.next_slot(channel, review.customer.customer_id, now_ms)
    kept = review.pending.slot
    if kept is not None and kept[0] == name and now_ms < kept[1] + slot.space_ms:
        is_come = now_ms >= kept[1]
        review.checks.append((_RATE, is_come, name, kept[1], slot.space_ms))
        return (None if is_come else kept[1]), None
    is_free = slot.at_ms <= now_ms
    review.checks.append((_RATE, is_free, name, slot.at_ms, slot.space_ms))
    return (None if is_free else slot.at_ms), (name, slot.at_ms)
