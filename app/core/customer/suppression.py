"""What engagement tells: who must not be written to on a channel, whatever the rules say, and
which messages were opened, and when (spec section 6).

Everything is kept as instants of event time and compared when asked, so that the order in which
records arrive does not change the answer.
"""

from typing import Any, Final

from app.core.customer.limits import MAX_OPENS
from app.core.customer.record import Customer
from app.core.time.instants import MINUTE_MS

#: In ``unsubscribed_ms``: from every channel.
ALL: Final = "*"


def take_engagement(
    customer: Customer, event_type: str, occurred_ms: int, data: dict[str, Any]
) -> None:
    """Remember an opt-out, a hard bounce, a complaint, or which message was opened or clicked."""
    channel = data.get("channel")
    if not isinstance(channel, str):
        channel = None
    match event_type:
        case "message_opened" | "message_clicked":
            _opened(customer, data.get("request_id"), occurred_ms)
        case "unsubscribed":
            _latest(customer.unsubscribed_ms, channel or ALL, occurred_ms)
        case "message_bounced" if data.get("hard", True) is not False:
            channel = channel or _channel_of_request(customer, data)
            if channel is not None:
                _latest(customer.bounced_ms, channel, occurred_ms)
        case "message_complained":
            channel = channel or _channel_of_request(customer, data)
            _latest(customer.complained_ms, channel or ALL, occurred_ms)


def _latest(instants: dict[str, int], name: str, instant_ms: int) -> None:
    if instants.get(name, instant_ms) <= instant_ms:
        instants[name] = instant_ms


def _opened(customer: Customer, request_id: object, occurred_ms: int) -> None:
    customer.opened_minutes.append(occurred_ms // MINUTE_MS)
    del customer.opened_minutes[:-MAX_OPENS]
    for sent in customer.sends:
        if sent.request_id == request_id and not sent.is_ghost:
            sent.is_opened = True


def _channel_of_request(customer: Customer, data: dict[str, Any]) -> str | None:
    request_id = data.get("request_id")
    for sent in customer.sends:
        if sent.request_id == request_id:
            return sent.channel
    return None


def suppression_of(customer: Customer, channel: str, address_field: str) -> str | None:
    """``complained``, ``bounced`` or ``unsubscribed`` while that holds for the channel."""
    complained = customer.complained_ms
    if complained and (channel in complained or ALL in complained):
        return "complained"
    bounced_ms = customer.bounced_ms.get(channel)
    if bounced_ms is not None:
        changed_ms = customer.address_ms.get(address_field)
        if changed_ms is None or bounced_ms >= changed_ms:
            return "bounced"
    unsubscribed = customer.unsubscribed_ms
    if unsubscribed:
        consented_ms = customer.consent_given_ms.get(channel)
        for name in (channel, ALL):
            left_ms = unsubscribed.get(name)
            if left_ms is not None and (consented_ms is None or left_ms >= consented_ms):
                return "unsubscribed"
    return None
