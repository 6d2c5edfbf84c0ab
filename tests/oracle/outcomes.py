"""What the oracle records against sends (spec section 9), from whole histories."""

from typing import Any

from tests.oracle.calendar import duration_ms
from tests.oracle.customer import Customer, after
from tests.oracle.entering import own_key
from tests.oracle.reading import key_text, visible
from tests.oracle.triggers import World

Send = dict[str, Any]

NEVER = float("-inf")

KINDS = {
    "message_delivered": "delivered",
    "message_opened": "opened",
    "message_clicked": "clicked",
    "message_bounced": "bounced",
    "message_complained": "complained",
    "unsubscribed": "unsubscribed",
    "survey_answered": "surveyed",
}


def attribute(world: World, customer: Customer, event: dict[str, Any]) -> None:
    """Adds what the event, the customer's latest, means for each send before it."""
    sends = [s for s in customer["sends"] if s["is_marketing"] and not s["is_recalled"]]
    in_time = [s for s in sends if event["t"] <= s["decided"] + window(world)]
    since = [s for s in in_time if event["t"] >= s["decided"]]
    if event["type"] in KINDS:
        whenever = ("message_bounced", "message_complained", "unsubscribed")
        for send in sends if event["type"] in whenever else in_time:
            is_named = send["request_id"] == event["data"].get("request_id")
            if is_named and not send["is_ghost"]:
                once(world, customer, event, send, KINDS[event["type"]])
    if event["type"] in ("order_placed", "booking_confirmed"):
        for send in since:
            role = "direct" if send is credited(customer, event, since) else "assisted"
            add(world, customer, event, send, "conversion", role)
        recover(world, customer, event, since)
    if event["type"] in ("review_completed", "support_contacted"):
        for send in since:
            if send["anchor_type"] == "delivered" and is_same_order(send, event):
                add(world, customer, event, send, event["type"].partition("_")[0])


def window(world: World) -> int:
    """How long after a send things count for it."""
    return duration_ms(world["rules"].get("attribution_window", "7d"))


def credited(customer: Customer, event: dict[str, Any], sends: list[Send]) -> Send:
    """Of these sends the last clicked by the time of the event, else opened, else sent.

    Clicked at the same time: the last opened of them; that too: the last sent.
    """
    left = list(enumerate(sends))
    for touch in ("message_clicked", "message_opened"):
        last = {n: last_touch(customer, event, send, touch) for n, send in left}
        newest = max(last.values())
        if newest != NEVER:
            left = [(n, send) for n, send in left if last[n] == newest]
    return max(left, key=lambda one: (one[1]["decided"], one[0]))[1]


def last_touch(customer: Customer, event: dict[str, Any], send: Send, touch: str) -> float:
    """When a send was last touched so, as far as has arrived and was not after the event."""
    return max(
        (
            seen["t"]
            for seen in after(customer, send)
            if seen["type"] == touch
            and seen["t"] <= event["t"]
            and seen["data"].get("request_id") == send["request_id"]
            and not send["is_ghost"]
        ),
        default=NEVER,
    )


def recover(world: World, customer: Customer, event: dict[str, Any], sends: list[Send]) -> None:
    """An abandoned key that was written about is bought: once for each instance."""
    found: dict[tuple[Any, ...], list[Send]] = {}
    for send in sends:
        trigger = world["rules"]["triggers"][send["trigger"]]
        data = visible(event["data"], world["rules"])
        is_keyed = trigger["kind"] == "abandonment"
        if is_keyed and own_key(trigger, data) == send["key"]:
            found.setdefault((send["trigger"], send["key"], send["anchor"]), []).append(send)
    for identity, its_sends in found.items():
        if identity not in customer["recovered"]:
            customer["recovered"].add(identity)
            add(world, customer, event, credited(customer, event, its_sends), "recovery")


def is_same_order(send: Send, event: dict[str, Any]) -> bool:
    """Unless both name an order, and not the same one."""
    orders = {key_text(send["data"].get("order_id")), key_text(event["data"].get("order_id"))}
    return None in orders or len(orders) == 1


def once(world: World, customer: Customer, event: dict[str, Any], send: Send, kind: str) -> None:
    """Adds an outcome unless the send has one of the kind."""
    if kind not in send["kinds"]:
        send["kinds"].add(kind)
        add(world, customer, event, send, kind)


def currency_or_none(world: World, named: Any) -> str | None:
    """A code of three letters; the rules' where the event names nothing."""
    if named is None:
        named = world["rules"].get("currency")
    return named if isinstance(named, str) and len(named) == 3 else None


def add(
    world: World,
    customer: Customer,
    event: dict[str, Any],
    send: Send,
    kind: str,
    role: str | None = None,
) -> None:
    """Adds an outcome; money stands on those of purchases, as the event has it."""
    money: dict[str, Any] = dict.fromkeys(("value", "margin", "currency", "score"))
    score = event["data"].get("score")
    if kind == "surveyed" and isinstance(score, int | float) and not isinstance(score, bool):
        money["score"] = score
    if kind in ("conversion", "recovery"):
        for name in ("value", "margin"):
            value = event["data"].get(name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                money[name] = value
        money["currency"] = currency_or_none(world, event["data"].get("currency"))
    world["outcomes"].append(
        {
            "request_id": send["request_id"],
            "customer_id": customer["name"],
            "trigger": send["trigger"],
            "step": send["step"],
            "channel": send["channel"],
            "experiment": send["experiment"],
            "segments": send["segments"],
            "ghost": send["is_ghost"],
            "kind": kind,
            "role": role,
            "latency_ms": max(event["t"] - send["decided"], 0),
            "occurred_ms": event["t"],
            "event_id": event["id"],
            "merged_from": send.get("opened_by"),
        }
        | money
    )
