"""What engagement events change: which channels must not be used for a customer, whatever the
rules say, and which messages were opened, and when (spec section 6).

Opt-outs are kept as instants of event time and compared when asked, bounces by address, so that the
order in which records arrive does not change the answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.core.customer.addresses import remembered_address
from app.core.customer.limits import MAX_BOUNCED, MAX_OPENS
from app.core.customer.parts import Sent
from app.core.customer.record import Customer
from app.core.time.instants import MINUTE_MS

#: In ``unsubscribed_ms`` and ``complained_ms``: from every channel.
ALL: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """The channels that feedback can be about: ``names`` from their spelling without case,
    ``fields`` to the profile field that holds the address.

    ``soft_limit`` soft bounces of one address within ``soft_within_ms`` count as a hard one; 0:
    they never do.
    """

    names: Mapping[str, str]
    fields: Mapping[str, str]
    soft_limit: int = 0
    soft_within_ms: int = 0

    def channel_named(self, text: object) -> str | None:
        """The channel of that name, without case and outer white space; None for another value."""
        return self.names.get(text.strip().casefold()) if isinstance(text, str) else None


def is_machine_open(event_type: str, data: dict[str, Any]) -> bool:
    """Whether an open or click was made by a scanner or a privacy proxy."""
    return data.get("machine") is True and event_type in ("message_opened", "message_clicked")


def take_machine_open(customer: Customer, data: dict[str, Any]) -> None:
    """Count it at the send that it names, and nowhere else."""
    sent = send_named(customer, data.get("request_id"))
    if sent is not None:
        sent.machine_opens += 1


def take_engagement(
    customer: Customer,
    event_type: str,
    occurred_ms: int,
    data: dict[str, Any],
    feedback: Feedback,
) -> None:
    """Remember an opt-out, a bounce, a complaint, or which message was opened or clicked.

    A known ``request_id`` says which send it is about, whatever ``channel`` says; only an
    unsubscription is of the channel that it names. Of a ghost send opt-outs alone count.
    """
    sent = send_named(customer, data.get("request_id"))
    named = feedback.channel_named(data.get("channel"))
    channel = named if sent is None else sent.channel
    match event_type:
        case "unsubscribed":
            _latest(customer.unsubscribed_ms, named or ALL, occurred_ms)
        case "message_complained":
            _latest(customer.complained_ms, channel or ALL, occurred_ms)
    if sent is not None and sent.is_ghost:
        return
    match event_type:
        case "message_opened" | "message_clicked":
            _opened(customer, sent, occurred_ms)
            _take_mail(customer, channel, occurred_ms)
        case "message_delivered":
            _take_mail(customer, channel, occurred_ms)
        case "message_bounced" if channel is not None and channel in feedback.fields:
            field = feedback.fields[channel]
            address = _bounced_address(customer, sent, field, occurred_ms)
            if address is None:
                return
            if data.get("hard", True) is not False:
                _close(customer, channel, address, occurred_ms)
            elif feedback.soft_limit:
                _soft_bounce(customer, channel, address, occurred_ms, feedback)


def send_named(customer: Customer, request_id: object) -> Sent | None:
    """The send with that request id; None when it is not known."""
    for sent in customer.sends:
        if sent.request_id == request_id:
            return sent
    return None


def _latest(instants: dict[str, int], name: str, instant_ms: int) -> None:
    if instants.get(name, instant_ms) <= instant_ms:
        instants[name] = instant_ms


def _opened(customer: Customer, sent: Sent | None, occurred_ms: int) -> None:
    customer.opened_minutes.append(occurred_ms // MINUTE_MS)
    del customer.opened_minutes[:-MAX_OPENS]
    if sent is not None:
        sent.is_opened = True


def _bounced_address(
    customer: Customer, sent: Sent | None, field: str, occurred_ms: int
) -> str | None:
    """The address that a bounce is about: that of its send or, without one, the present address
    unless it was set after the bounce occurred.
    """
    if sent is not None and sent.address is not None:
        return _identity(field, sent.address)
    if customer.address_ms.get(field, occurred_ms) > occurred_ms:
        return None
    return _identity(field, address_in(customer.profile, field))


def _close(customer: Customer, channel: str, address: str, occurred_ms: int) -> None:
    """The channel must not be used while that is its address."""
    _latest(customer.bounced_ms, channel, occurred_ms)
    known = [each for each in customer.bounced.get(channel, ()) if each != address]
    customer.bounced[channel] = [*known, address][-MAX_BOUNCED:]


def _soft_bounce(
    customer: Customer, channel: str, address: str, occurred_ms: int, feedback: Feedback
) -> None:
    """Count a soft bounce. What the mailbox took in between starts the count anew."""
    by_address = customer.soft_bounces_ms.setdefault(channel, {})
    taken_ms = customer.mail_taken_ms.get(channel)
    times_ms = sorted([*by_address.pop(address, ()), occurred_ms])
    after_ms = times_ms[-1] - feedback.soft_within_ms
    if taken_ms is not None:
        after_ms = max(after_ms, taken_ms)
    counted = [at_ms for at_ms in times_ms if at_ms > after_ms]
    if len(counted) >= feedback.soft_limit:
        _close(customer, channel, address, occurred_ms)
    if counted:
        by_address[address] = counted[-feedback.soft_limit :]
    if len(by_address) > MAX_BOUNCED:
        del by_address[next(iter(by_address))]


def _take_mail(customer: Customer, channel: str | None, occurred_ms: int) -> None:
    """A mailbox that takes a message is not dead."""
    if channel is not None:
        _latest(customer.mail_taken_ms, channel, occurred_ms)


def address_in(profile: Mapping[str, Any], field: str) -> object:
    """The value of a profile field such as ``email`` or ``attributes.work_email``."""
    scope, _, name = field.partition(".")
    return profile.get("attributes", {}).get(name) if name else profile.get(scope)


def _identity(field: str, address: object) -> str | None:
    """What bounced addresses are compared by; None without an address."""
    return None if address is None else remembered_address(field, address)


def suppression_of(customer: Customer, channel: str, address_field: str) -> str | None:
    """``complained``, ``bounced`` or ``unsubscribed`` while that holds for the channel."""
    complained = customer.complained_ms
    if complained and (channel in complained or ALL in complained):
        return "complained"
    if customer.bounced_ms and _has_bounced(customer, channel, address_field):
        return "bounced"
    unsubscribed = customer.unsubscribed_ms
    if unsubscribed:
        consented_ms = customer.consent_given_ms.get(channel)
        for name in (channel, ALL):
            left_ms = unsubscribed.get(name)
            if left_ms is not None and (consented_ms is None or left_ms >= consented_ms):
                return "unsubscribed"
    return None


def _has_bounced(customer: Customer, channel: str, field: str) -> bool:
    addresses = customer.bounced.get(channel)
    if addresses is not None:
        return _identity(field, address_in(customer.profile, field)) in addresses
    # a record that does not say which address bounced: the one it had then
    bounced_ms = customer.bounced_ms.get(channel)
    changed_ms = customer.address_ms.get(field)
    return bounced_ms is not None and (changed_ms is None or bounced_ms >= changed_ms)
