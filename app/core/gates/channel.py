"""The gates of one channel: reach, consent, suppression, caps and quiet hours."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from app.core.customer.record import Customer
from app.core.customer.suppression import suppression_of
from app.core.decisions import Check, Reason
from app.core.gates import evidence
from app.core.rules.model import Channel, Rules, Step
from app.core.rules.zone import zone_of
from app.core.time.zones import is_inside, local, next_local_time


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
    is_tired: bool,
    checks: list[Check],
) -> ChannelVerdict:
    name = channel.name
    has_address = bool(channel.address({}, customer, now_ms))
    checks.append(evidence.reach(name, has_address, channel.requires))
    if not has_address:
        return _UNREACHABLE
    if is_marketing:
        consent = customer.profile.get("consent")
        given = consent.get(name) if consent else None
        consents = channel.consent_default if given is None else given
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
    return ChannelVerdict(Reason.QUIET if cap_ms is None else Reason.CAP, wait)


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
        sent_ms = []
        for sent in sends:
            if (
                sent.decided_ms > after_ms
                and sent.is_marketing
                and (only is None or sent.channel == only)
            ):
                sent_ms.append(sent.decided_ms)  # noqa: PERF401 as in open_instances
        count = len(sent_ms)
        limit = cap.tired_limit if is_tired else cap.limit
        checks.append(evidence.cap(channel.name, count, limit, cap.per_ms, only))
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
    tz = zone_of(rules, customer)
    wall = local(now_ms, tz)
    minute = wall.hour * 60 + wall.minute
    is_quiet = is_inside(minute, quiet.start, quiet.end)
    checks.append(evidence.quiet(channel, not is_quiet, minute, tz.key))
    return next_local_time(now_ms, quiet.end, tz) if is_quiet else None
