"""How the oracle reads a line: as an event, an erasure, an unknown type or a dead letter."""

from collections.abc import Mapping
from typing import Any

from tests.oracle.calendar import instant_or_none, is_zone, yearly_or_none

TYPES: dict[str, tuple[str, ...]] = {
    "orders": (
        "product_viewed",
        "cart_updated",
        "cart_emptied",
        "checkout_started",
        "order_placed",
        "payment_verified",
        "payment_failed",
        "item_packed",
        "shipped",
        "delivered",
        "refund_requested",
        "order_cancelled",
        "review_completed",
        "subscribed",
        "onboarding_completed",
        "support_contacted",
    ),
    "bookings": (
        "itinerary_saved",
        "passenger_details_added",
        "seat_selection_pending",
        "payment_failure",
        "price_drop_detected",
        "booking_confirmed",
        "booking_cancelled",
    ),
    "profiles": ("profile_updated",),
    "engagement": (
        "message_delivered",
        "message_opened",
        "message_clicked",
        "message_bounced",
        "message_complained",
        "unsubscribed",
        "survey_answered",
    ),
}

SCALAR_FIELDS = ("first_name", "email", "phone", "push_token", "timezone", "locale", "birthday")
MONEY_FIELDS = ("value", "price", "old_price", "new_price", "margin")

DEAD: dict[str, Any] = {"what": "dead letter"}


def arrival_or_none(line: Mapping[str, Any], rules: Mapping[str, Any]) -> int | None:
    """When the line arrived: `arrived_at`, else its event's `occurred_at`.

    None where it says neither: an erasure, or an envelope that is broken somewhere.
    """
    arrived = instant_or_none(line.get("arrived_at"))
    return read(line, rules).get("t") if arrived is None else arrived


def read(line: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    """The line as a plain dict; `what` is `event`, `unknown type`, `erasure` or `dead letter`.

    `t` (the occurred_at, not yet clamped) is there whenever the envelope is sound.
    """
    topic = line["topic"]
    is_published = "value" in line
    key = line.get("key") if is_published else None
    envelope = line["value"] if is_published else line
    if envelope is None and topic == "profiles" and is_text(key, 256):
        return {"what": "erasure", "customer": key}
    if not isinstance(envelope, dict):
        return DEAD
    customer = envelope.get("customer_id")
    occurred = instant_or_none(envelope.get("occurred_at"))
    data: Any = envelope.get("data")
    type_name = envelope.get("type")
    sound = (
        is_text(envelope.get("event_id"), 128)
        and is_text(customer, 256)
        and isinstance(type_name, str)
        and type_name != ""
        and occurred is not None
        and isinstance(data, dict)
        and (key is None or key == customer)
    )
    if not sound:
        return DEAD
    found = {
        "id": envelope["event_id"],
        "customer": customer,
        "topic": topic,
        "type": type_name,
        "t": occurred,
        "data": data,
    }
    if type_name not in TYPES[topic]:
        return {"what": "unknown type"} | found
    if topic == "profiles" and not is_profile(data, rules):
        return {"what": "dead letter"} | found
    if any(
        trigger["kind"] == "abandonment"
        and type_name in types_in(trigger["start"])
        and key_text(data.get(trigger["key"])) is None
        for trigger in rules["triggers"].values()
    ):
        return {"what": "dead letter"} | found
    return {"what": "event"} | found


def types_in(value: Any) -> list[str]:
    """One type or a list of them, as a list."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def is_text(value: Any, longest: int) -> bool:
    """A string of 1 to `longest` characters."""
    return isinstance(value, str) and 1 <= len(value) <= longest


def key_text(value: Any) -> str | None:
    """An instance key: a string that is not empty, or a whole number written out."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def is_profile(data: Mapping[str, Any], rules: Mapping[str, Any]) -> bool:
    """Whether every profile field present can be what it says."""
    channels = rules["channels"]
    for name in SCALAR_FIELDS:
        if not isinstance(data.get(name), str | None):
            return False
    if data.get("timezone") is not None and not is_zone(data["timezone"]):
        return False
    if data.get("birthday") is not None and yearly_or_none(data["birthday"]) is None:
        return False
    preferred = data.get("channels")
    if preferred is not None and not (
        isinstance(preferred, list) and all(isinstance(c, str) and c in channels for c in preferred)
    ):
        return False
    consent = data.get("consent", {})
    if not isinstance(consent, dict):
        return False
    if any(c not in channels or not isinstance(v, bool | None) for c, v in consent.items()):
        return False
    return isinstance(data.get("attributes", {}), dict)


def visible(data: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    """The event's data without what is missing: nulls, and money in another currency."""
    foreign = (
        rules.get("currency") is not None
        and data.get("currency") is not None
        and data["currency"] != rules["currency"]
    )
    return {
        name: value
        for name, value in data.items()
        if value is not None and not (foreign and name in MONEY_FIELDS)
    }


def amount(value: Any) -> float:
    """What a value adds to a sum: nothing unless it is a positive number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return 0
    return value
