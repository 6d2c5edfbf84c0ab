"""The gates of one channel: reach, consent, suppression, caps and quiet hours."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from app.core.customer.record import Customer
from app.core.customer.suppression import suppression_of
from app.core.decisions import Check, Reason
from app.core.gates import evidence, usage
from app.core.rules.model import Channel, Rules, Step


class ChannelVerdict(msgspec.Struct, frozen=True, gc=False):
    """The first failing check of one channel (None: it passed).

    ``wait`` is until when (epoch ms) waiting would help, and for what; None when it would not.
    """

    failed: Reason | None = None
    wait: tuple[int, Reason] | None = None


_PASSED: Final = ChannelVerdict()
_UNREACHABLE: Final = ChannelVerdict(Reason.REACH)
_NOT_WANTED: Final = ChannelVerdict(Reason.CONSENT)
_SUPPRESSED: Final = ChannelVerdict(Reason.SUPPRESSED)


def channel_order(step: Step, profile: Mapping[str, Any]) -> tuple[str, ...] | list[str]:
    """The step's channels: those the customer prefers first, then the others in step order."""
    preferred = profile.get("channels")
    if not preferred:
        return step.channels
    first = [name for name in preferred if name in step.channels]
    return first + [name for name in step.channels if name not in first]


def judge_channel(
    rules: Rules,
    is_marketing: bool,
    customer: Customer,
    channel: Channel,
    now_ms: int,
    fatigued: bool,
    checks: list[Check],
) -> ChannelVerdict:
    name = channel.name
    reachable = usage.has_address(customer, channel, now_ms)
    checks.append(evidence.reach(name, reachable, channel.requires))
    if not reachable:
        return _UNREACHABLE
    if is_marketing:
        consents, given = usage.consent_of(customer, channel)
        checks.append(evidence.consent(name, consents, given))
        if not consents:
            return _NOT_WANTED
    cause = suppression_of(customer, name, channel.requires)
    if not is_marketing and cause == "unsubscribed":
        cause = None
    checks.append(evidence.suppressed(name, cause))
    if cause is not None:
        return _SUPPRESSED
    if not is_marketing:
        return _PASSED
    cap_ms = _next_under_caps(channel, customer, now_ms, fatigued, checks)
    quiet_ms = _next_after_quiet(rules, customer, name, now_ms, checks)
    if cap_ms is None and quiet_ms is None:
        return _PASSED
    # A channel that fails both waits for the later; when they are the same, quiet names it.
    if quiet_ms is not None and (cap_ms is None or quiet_ms >= cap_ms):
        wait = quiet_ms, Reason.QUIET
    else:
        assert cap_ms is not None
        wait = cap_ms, Reason.CAP
    return ChannelVerdict(Reason.QUIET if cap_ms is None else Reason.CAP, wait)


def _next_under_caps(
    channel: Channel, customer: Customer, now_ms: int, fatigued: bool, checks: list[Check]
) -> int | None:
    """When enough sends will have left the windows of the caps that are full; None: none is."""
    latest_ms: int | None = None
    for cap in channel.caps:
        use = usage.cap_use(customer, cap, now_ms, fatigued=fatigued)
        checks.append(evidence.cap(channel.name, use.count, use.limit, cap.per_ms, cap.channel))
        if use.free_ms is not None:
            latest_ms = use.free_ms if latest_ms is None else max(latest_ms, use.free_ms)
    return latest_ms


def _next_after_quiet(
    rules: Rules, customer: Customer, channel: str, now_ms: int, checks: list[Check]
) -> int | None:
    """The next end of the quiet hours when now is inside them; None otherwise."""
    quiet = usage.quiet_of(customer, rules, channel, now_ms)
    if quiet is None:
        return None
    checks.append(evidence.quiet(channel, quiet.until_ms is None, quiet.minute, quiet.timezone))
    return quiet.until_ms
