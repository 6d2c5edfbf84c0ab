"""How much of each limit a customer has used. Windows are (now - length, now], as in the gates."""

from app.core.customer.record import Customer
from app.core.customer.suppression import suppression_of
from app.core.rules.model import Cap, Channel, Rules
from app.core.time.zones import is_inside, local, next_local_time, zone
from app.explain.explanation import CapUse, ChannelState, CooldownUse


def cap_use(customer: Customer, cap: Cap, now_ms: int, *, is_tired: bool) -> CapUse:
    """Sends and ghost sends that count, and when the next one fits. ``is_tired``: fatigued."""
    limit = cap.tired_limit if is_tired else cap.limit
    sent_ms = sorted(
        sent.decided_ms
        for sent in customer.sends
        if sent.is_marketing
        and sent.decided_ms > now_ms - cap.per_ms
        and cap.channel in (None, sent.channel)
    )
    used = len(sent_ms)
    is_full = used >= limit
    return CapUse(
        limit=limit,
        per_s=cap.per_ms // 1000,
        channel=cap.channel,
        used=used,
        free_ms=sent_ms[used - limit] + cap.per_ms if is_full else None,
    )


def cooldowns(
    customer: Customer, rules: Rules, now_ms: int, *, is_tired: bool
) -> list[CooldownUse]:
    """Families that are still warm, by name. ``is_tired``: fatigued."""
    fatigue = rules.fatigue
    cooldown_ms = fatigue.cooldown_ms if is_tired and fatigue is not None else rules.cooldown_ms
    last: dict[str, int] = {}
    for sent in customer.sends:
        if sent.is_marketing and sent.decided_ms > now_ms - cooldown_ms:
            last[sent.family] = max(sent.decided_ms, last.get(sent.family, sent.decided_ms))
    return [
        CooldownUse(family=family, last_ms=last_ms, until_ms=last_ms + cooldown_ms)
        for family, last_ms in sorted(last.items())
    ]


def channel_state(customer: Customer, rules: Rules, channel: Channel, now_ms: int) -> ChannelState:
    """What the gates of one channel would find now."""
    consent = customer.profile.get("consent") or {}
    given = consent.get(channel.name)
    return ChannelState(
        channel=channel.name,
        has_address=bool(channel.address({}, customer, now_ms)),
        has_consent=channel.consent_default if given is None else given,
        consent_given=given,
        suppressed=suppression_of(customer, channel.name, channel.requires),
        quiet_until_ms=_quiet_until(customer, rules, channel.name, now_ms),
    )


def zone_name(customer: Customer, rules: Rules) -> str:
    """The customer's zone, or the one of the rules."""
    return customer.profile.get("timezone") or rules.timezone.key


def _quiet_until(customer: Customer, rules: Rules, channel: str, now_ms: int) -> int | None:
    quiet = rules.quiet_hours
    if quiet is None or channel not in quiet.channels:
        return None
    tz = zone(zone_name(customer, rules))
    wall = local(now_ms, tz)
    if not is_inside(wall.hour * 60 + wall.minute, quiet.start, quiet.end):
        return None
    return next_local_time(now_ms, quiet.end, tz)
