"""How much of each limit a customer has used, and what stands in the way of a channel.

The gates and the explanations both ask this. Windows are (now - length, now].
"""

from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from typing import Final
from zoneinfo import ZoneInfo

from app.core.customer.instance import Instance
from app.core.customer.parts import Sent
from app.core.customer.record import Customer
from app.core.customer.suppression import suppression_of
from app.core.rules.model import Cap, Channel, Cooldown, Deliver, Rules, Trigger
from app.core.rules.zone import zone_of
from app.core.time.instants import DAY_MS
from app.core.time.windows import Window, endings, first_beginning, is_open, next_opening
from app.core.time.zones import local

#: How far ahead the end of quiet hours is looked for.
QUIET_DAYS: Final = 8


#: How many sends are in the window of a cap, the limit that holds for the customer, and when enough
#: of them will have left it (None: another send fits now).
CapUse = tuple[int, int, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """Whether marketing could use the channel now, the caps aside.

    ``consent_given`` is what the profile says (None: nothing, the default holds), ``suppressed``
    the cause, ``quiet_until_ms`` None outside of quiet hours.
    """

    channel: str
    has_address: bool
    has_consent: bool
    consent_given: bool | None
    suppressed: str | None
    quiet_until_ms: int | None


@dataclass(slots=True, init=False)
class Quiet:
    """The customer's local minute of the day, and when quiet hours end; None: it is not quiet."""

    minute: int
    timezone: str
    until_ms: int | None

    def __init__(
        self,
        minute: int,
        timezone: str,
        until_ms: int | None,
    ) -> None:
        self.minute = minute
        self.timezone = timezone
        self.until_ms = until_ms


def cap_use(sends: list[Sent], cap: Cap, now_ms: int, *, fatigued: bool) -> CapUse:
    """How many of the marketing sends, in the order of their decisions, a cap counts at
    ``now_ms``.
    """
    limit = cap.fatigued_limit if fatigued else cap.limit
    if not sends:
        return 0, limit, None
    only, family, trigger, after_ms = cap.channel, cap.family, cap.trigger, now_ms - cap.per_ms
    if only is None and family is None and trigger is None:
        count = 0
        for sent in reversed(sends):
            if sent.decided_ms <= after_ms:
                break
            count += 1
        if count < limit:
            return count, limit, None
        return count, limit, sends[len(sends) - limit].decided_ms + cap.per_ms
    sent_ms = []
    for sent in sends:
        if (
            sent.decided_ms > after_ms
            and (only is None or sent.channel == only)
            and (family is None or sent.family == family)
            and (trigger is None or sent.trigger == trigger)
        ):
            sent_ms.append(sent.decided_ms)
    count = len(sent_ms)
    if count < limit:
        return count, limit, None
    return count, limit, sent_ms[count - limit] + cap.per_ms


def cooldown_ms_of(cooldown: Cooldown, *, fatigued: bool) -> int:
    """The length that holds for the customer; 0: none."""
    return cooldown.fatigued_ms if fatigued else cooldown.usual_ms


def last_sent_ms(
    sends: list[Sent], trigger: Trigger, instance: Instance, after_ms: int
) -> int | None:
    """The newest of the marketing sends, which come in the order of their decisions, of the
    trigger's family at t > ``after_ms``, that another instance made.
    """
    family = trigger.family
    for sent in reversed(sends):
        if sent.decided_ms <= after_ms:
            break
        if sent.family == family and not _is_made_by(sent, instance):
            return sent.decided_ms
    return None


def _is_made_by(sent: Sent, instance: Instance) -> bool:
    return (
        sent.anchor_ms == instance.anchor_ms
        and sent.key == instance.key
        and sent.trigger == instance.trigger
    )


def last_sent_by_family(customer: Customer, after_ms: int) -> dict[str, int]:
    """The newest send of each family at t > ``after_ms``, whatever instance made it."""
    newest: dict[str, int] = {}
    for sent in customer.sends:
        if sent.is_marketing and sent.decided_ms > after_ms:
            newest[sent.family] = max(sent.decided_ms, newest.get(sent.family, sent.decided_ms))
    return newest


def consent_of(customer: Customer, channel: Channel) -> tuple[bool, bool | None]:
    """Whether the customer agrees to the channel, and what the profile says about it itself."""
    consent = customer.profile.get("consent")
    given = consent.get(channel.name) if consent else None
    return (channel.consent_default if given is None else given), given


def has_address(customer: Customer, channel: Channel, now_ms: int) -> bool:
    """Whether the profile has what the channel needs."""
    return bool(channel.address({}, customer, now_ms))


def quiet_of(customer: Customer, rules: Rules, channel: str, now_ms: int) -> Quiet | None:
    """How the quiet hours apply to the channel at ``now_ms``; None when the rules have none.

    It is quiet while any window holds, until the first instant at which none does; when there is
    none within ``QUIET_DAYS``, until then.
    """
    windows = rules.quiet_windows.get(channel)
    if windows is None:
        return None
    tz = zone_of(rules, customer)
    local_time = local(now_ms, tz)
    minute = local_time.hour * 60 + local_time.minute
    is_quiet = _is_any_open(windows, local_time)
    return Quiet(minute, tz.key, _end_of_quiet(windows, now_ms, tz) if is_quiet else None)


def _is_any_open(windows: tuple[Window, ...], local_time: datetime) -> bool:
    for window in windows:  # noqa: SIM110 - a generator costs as much as all windows
        if is_open(window, local_time):
            return True
    return False


def _end_of_quiet(windows: tuple[Window, ...], now_ms: int, tz: ZoneInfo) -> int:
    ends = [endings(window, now_ms, tz, QUIET_DAYS) for window in windows]
    for end_ms in ends[0] if len(ends) == 1 else merge(*ends):
        if not _is_any_open(windows, local(end_ms, tz)):
            return end_ms
    return now_ms + QUIET_DAYS * DAY_MS


def next_delivery_ms(deliver: Deliver, due_ms: int, now_ms: int, tz: ZoneInfo) -> int | None:
    """When the delivery window lets the step go: now while it does. None: not for over a year."""
    if deliver.is_at:
        target_ms = first_beginning(deliver.window, due_ms, tz)
        return None if target_ms is None else max(target_ms, now_ms)
    if is_open(deliver.window, local(now_ms, tz)):
        return now_ms
    return next_opening(deliver.window, now_ms, tz)


def channel_state(customer: Customer, rules: Rules, channel: Channel, now_ms: int) -> ChannelState:
    """What the gates of one channel would find now."""
    consents, given = consent_of(customer, channel)
    quiet = quiet_of(customer, rules, channel.name, now_ms)
    return ChannelState(
        channel=channel.name,
        has_address=has_address(customer, channel, now_ms),
        has_consent=consents,
        consent_given=given,
        suppressed=suppression_of(customer, channel.name, channel.requires),
        quiet_until_ms=None if quiet is None else quiet.until_ms,
    )
