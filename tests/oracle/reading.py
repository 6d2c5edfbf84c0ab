"""How the oracle reads a line: as an event, an erasure, an unknown type or a dead letter."""

from collections.abc import Mapping
from typing import Any

from tests.oracle.calendar import instant_or_none, is_zone, yearly_or_none
from tests.oracle.declared import as_declared, field_types, types_on

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
    "profiles": ("profile_updated", "customer_merged"),
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
    if type_name not in (*TYPES.get(topic, ()), *types_on(rules, topic)):
        return {"what": "unknown type"} | found
    data = found["data"] = as_declared(rules, topic, type_name, data)
    if type_name == "customer_merged":
        what = "event" if is_text(data.get("into"), 256) else "dead letter"
        return {"what": what} | found
    if topic == "profiles":
        found["data"], withdrawn, is_sound = as_profile(data, rules)
        if not is_sound:
            return {"what": "dead letter", "withdrawn": withdrawn} | found
    if any(
        trigger["kind"] == "abandonment"
        and type_name in types_in(trigger["start"])
        and any(
            key_text(data.get(field)) is None
            for field in ([trigger["key"]] if isinstance(trigger["key"], str) else trigger["key"])
        )
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


def as_profile(
    data: Mapping[str, Any], rules: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str], bool]:
    """The data as the engine keeps it, whose consent it takes back, and whether all can be."""
    found = dict(data)
    sound = True
    holders = {channel["requires"] for channel in rules["channels"].values()}
    for name in SCALAR_FIELDS:
        if name in holders | {"email", "phone", "push_token"} and name in data:
            found[name], is_one = as_address(data[name])
            sound &= is_one
        sound &= isinstance(found.get(name), str | None)
    if data.get("timezone") is not None and not is_zone(data["timezone"]):
        sound = False
    if data.get("birthday") is not None and yearly_or_none(data["birthday"]) is None:
        sound = False
    preferred = data.get("channels")
    if isinstance(preferred, list) and all(isinstance(c, str) for c in preferred):
        spelt = [spelling(c) for c in preferred]
        found["channels"] = [c for c in spelt if c in rules["channels"]]
    elif preferred is not None:
        sound = False
    given = data.get("consent", {})
    consents: dict[str, Any] = {}
    if isinstance(given, dict):
        for name, value in given.items():
            channel = spelling(name)
            if channel not in rules["channels"]:
                continue
            if not isinstance(value, bool | None):
                sound = False
            elif consents.get(channel) is not False:
                consents[channel] = value
    else:
        sound = False
        consents = dict.fromkeys(rules["channels"], False) if given is False else {}
    if "consent" in data:
        found["consent"] = consents
    attributes = data.get("attributes", {})
    sound &= isinstance(attributes, dict)
    if isinstance(attributes, dict):
        found |= {"attributes": dict(attributes)} if attributes else {}
        for name in attributes:
            if f"attributes.{name}" in holders:
                found["attributes"][name], is_one = as_address(attributes[name])
                sound &= is_one
    withdrawn = [channel for channel, value in consents.items() if value is False]
    return found, withdrawn, sound


def as_address(value: Any) -> tuple[Any, bool]:
    """An address as it is kept, None when it spells nothing; and whether it can be one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value), True
    if not isinstance(value, str):
        return None, value is None
    text = value.strip()
    if text.lower() in ("", "null", "none", "nan", "n/a"):
        return None, True
    return text, not any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029" for c in text)


def spelling(name: Any) -> Any:
    """A channel's name without case and outer white space."""
    return name.strip().lower() if isinstance(name, str) else None


def is_machine(event: Mapping[str, Any]) -> bool:
    """Whether a scanner or a privacy proxy opened or clicked a message."""
    is_touch = event["type"] in ("message_opened", "message_clicked")
    return is_touch and event["data"].get("machine") is True


def visible(data: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    """The event's data without what is missing: nulls, and money in another currency."""
    foreign = (
        rules.get("currency") is not None
        and data.get("currency") is not None
        and data["currency"] != rules["currency"]
    )
    kinds = field_types(rules)
    return {
        name: value
        for name, value in data.items()
        if value is not None and not (foreign and kinds.get(name) == "money")
    }


def amount(value: Any) -> float:
    """What a value adds to a sum: nothing unless it is a positive number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return 0
    return value
