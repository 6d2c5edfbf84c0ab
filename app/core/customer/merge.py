"""Two records of one person become one (spec section 3, ``customer_merged``): a guest logs in.

Pure: the record of the guest, A, goes into that of the member, B. Instances, and what B's decisions
need of A, are the work of ``app.core.triggers.merging``.
"""

from typing import Final, TypeVar

from app.core.customer.limits import (
    MAX_BOUNCED,
    MAX_ENTERED,
    MAX_IDENTITIES,
    MAX_MERGED_EVENT_IDS,
    MAX_OPENS,
    MAX_PURCHASES,
    MAX_SENDS,
    MAX_STOPPED,
)
from app.core.customer.parts import Purchases
from app.core.customer.record import DIGEST_BYTES, Customer
from app.core.customer.suppression import ALL

_CONSENT: Final = "consent."

Value = TypeVar("Value")


def merge_into(b: Customer, a: Customer, merged_ms: int) -> None:
    """Put what is known of A into B's record; A's own is left as it is.

    Fields go by their last writer (a tie: B's), counters add up, what either withdrew holds as if
    it had been withdrawn at ``merged_ms``.
    """
    _merge_withdrawals(b, a, merged_ms)
    _merge_profile(b, a)
    _merge_feedback(b, a)
    _merge_figures(b, a)
    _merge_memory(b, a)
    _merge_sends(b, a)


def _merge_withdrawals(b: Customer, a: Customer, merged_ms: int) -> None:
    for one in (a, b):
        for channel, consent in one.profile.get("consent", {}).items():
            if consent is False:
                field = f"{_CONSENT}{channel}"
                one.profile_ms[field] = max(merged_ms, one.profile_ms.get(field, merged_ms))
    stays_open = {
        channel
        for channel in a.consent_given_ms.keys() | b.consent_given_ms.keys()
        if not (_has_left(a, channel) or _has_left(b, channel))
    }
    left = {channel for one in (a, b) for channel in one.unsubscribed_ms if _has_left(one, channel)}
    b.unsubscribed_ms = _newest(b.unsubscribed_ms, a.unsubscribed_ms)
    b.consent_given_ms = _newest(b.consent_given_ms, a.consent_given_ms)
    for channel in left:
        b.unsubscribed_ms[channel] = max(merged_ms, b.unsubscribed_ms[channel])
    for channel in stays_open:
        b.consent_given_ms[channel] = max(merged_ms + 1, b.consent_given_ms[channel])
    for channel, at_ms in a.complained_ms.items():
        b.complained_ms[channel] = min(at_ms, b.complained_ms.get(channel, at_ms))


def _has_left(customer: Customer, channel: str) -> bool:
    """Whether an unsubscription from the channel, or from all, holds."""
    given_ms = customer.consent_given_ms.get(channel)
    return any(
        name in customer.unsubscribed_ms
        and (given_ms is None or given_ms <= customer.unsubscribed_ms[name])
        for name in (channel, ALL)
    )


def _merge_profile(b: Customer, a: Customer) -> None:
    for field, at_ms in a.profile_ms.items():
        known_ms, other = b.profile_ms.get(field), _value(a, field)
        is_withdrawal = field.startswith(_CONSENT) and other is False
        if known_ms is not None and (known_ms > at_ms or (known_ms == at_ms and not is_withdrawal)):
            continue
        b.profile_ms[field] = at_ms
        _set(b, field, other)
        if field in a.address_ms:
            b.address_ms[field] = a.address_ms[field]
    b.has_profile = b.has_profile or a.has_profile


def _value(customer: Customer, field: str) -> object:
    for group in ("consent", "attributes"):
        if field.startswith(f"{group}."):
            found: object = customer.profile.get(group, {}).get(field.removeprefix(f"{group}."))
            return found
    return customer.profile.get(field)


def _set(customer: Customer, field: str, value: object) -> None:
    profile, name = customer.profile, field
    for group in ("consent", "attributes"):
        if field.startswith(f"{group}."):
            profile, name = profile.setdefault(group, {}), field.removeprefix(f"{group}.")
    if value is None:
        profile.pop(name, None)
    else:
        profile[name] = value


def _merge_feedback(b: Customer, a: Customer) -> None:
    b.bounced_ms = _newest(b.bounced_ms, a.bounced_ms)
    for channel, addresses in a.bounced.items():
        known = b.bounced.get(channel, [])
        both = [address for address in addresses if address not in known] + known
        b.bounced[channel] = both[-MAX_BOUNCED:]
    for channel, by_address in a.soft_bounces_ms.items():
        own = b.soft_bounces_ms.setdefault(channel, {})
        for address, times_ms in by_address.items():
            own[address] = sorted([*own.get(address, []), *times_ms])
    b.mail_taken_ms = _newest(b.mail_taken_ms, a.mail_taken_ms)


def _merge_figures(b: Customer, a: Customer) -> None:
    for name, count in a.counts.items():
        b.counts[name] = b.counts.get(name, 0) + count
    for name, total in a.sums.items():
        b.sums[name] = round(b.sums.get(name, 0.0) + total, 6)
    b.discounted += a.discounted
    b.first_order_ms = min(_known(a.first_order_ms, b.first_order_ms), default=None)
    b.last_order_ms = max(_known(a.last_order_ms, b.last_order_ms), default=None)
    b.last_purchase_ms = max(_known(a.last_purchase_ms, b.last_purchase_ms), default=None)
    b.last_seen_ms = max(_known(a.last_seen_ms, b.last_seen_ms), default=None)
    b.views_ms = sorted([*a.views_ms, *b.views_ms])
    for name, purchases in a.purchases.items():
        own = b.purchases.get(name)
        b.purchases[name] = purchases if own is None else _both_purchases(own, purchases)


def _both_purchases(b: Purchases, a: Purchases) -> Purchases:
    kept = sorted([*a.kept, *b.kept], key=lambda purchase: purchase.occurred_ms)
    gone_ms = [purchase.occurred_ms for purchase in kept[:-MAX_PURCHASES]]
    cancelled = _newest(a.cancelled, b.cancelled)
    return Purchases(
        kept=kept[-MAX_PURCHASES:],
        cancelled=dict(list(cancelled.items())[-MAX_PURCHASES:]),
        first_ms=min([*_known(a.first_ms, b.first_ms), *gone_ms], default=None),
        last_ms=max([*_known(a.last_ms, b.last_ms), *gone_ms], default=None),
    )


def _merge_memory(b: Customer, a: Customer) -> None:
    """Event ids, cancels, starts, identities, windows: both."""
    b.seen = (a.seen + b.seen)[-MAX_MERGED_EVENT_IDS * DIGEST_BYTES :]
    b.decide_from_ms = max(a.decide_from_ms, b.decide_from_ms)
    b.cancels_all_ms = _newest(b.cancels_all_ms, a.cancels_all_ms)
    for trigger, by_key in a.cancels_ms.items():
        b.cancels_ms[trigger] = _newest(b.cancels_ms.get(trigger, {}), by_key)
    for trigger, starts_ms in a.starts_ms.items():
        own = b.starts_ms.setdefault(trigger, {})
        for key, times_ms in starts_ms.items():
            own[key] = [max([*own.get(key, []), *times_ms])]
    for trigger, counted in a.frequencies_ms.items():
        own = b.frequencies_ms.setdefault(trigger, {})
        for key, times_ms in counted.items():
            own[key] = sorted([*own.get(key, []), *times_ms])
    b.fired_years = _newest(b.fired_years, a.fired_years)
    for trigger, digests in a.identities.items():
        both = digests + b.identities.get(trigger, b"")
        b.identities[trigger] = both[-MAX_IDENTITIES * DIGEST_BYTES :]
    for trigger, entered in a.entered.items():
        b.entered[trigger] = [*entered, *b.entered.get(trigger, [])][-MAX_ENTERED:]
    b.stopped = [*a.stopped, *b.stopped][-MAX_STOPPED:]
    for trigger, marks in a.reached.items():
        b.reached[trigger] = sorted({*marks, *b.reached.get(trigger, [])})
    b.opened_minutes = sorted([*a.opened_minutes, *b.opened_minutes])[-MAX_OPENS:]


def _merge_sends(b: Customer, a: Customer) -> None:
    for sent in a.sends:
        sent.opened_by = sent.opened_by or a.customer_id
    b.sends = sorted([*a.sends, *b.sends], key=lambda sent: sent.decided_ms)[-MAX_SENDS:]


def _newest(own: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    merged = dict(own)
    for name, value in other.items():
        merged[name] = max(value, merged.get(name, value))
    return merged


def _known(*values: Value | None) -> list[Value]:
    return [value for value in values if value is not None]
