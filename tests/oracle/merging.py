"""Two customers who are one, for the oracle: one history goes before the other.

``world["merged"]`` has of each merged customer whom they were merged into, and when.
"""

from typing import Any

from tests.oracle.calendar import DAY_MS
from tests.oracle.customer import CANCELLERS, Customer, new_customer, profile
from tests.oracle.triggers import (
    World,
    counter,
    end,
    move_days,
    schedule_anniversary,
    triggers_in_order,
)


def newest_member(world: World, name: str) -> str:
    """Whose an event of that customer is, at now."""
    passed: set[str] = set()
    while name in world["merged"] and name not in passed:
        into, at = world["merged"][name]
        if world["now"] - at > 30 * DAY_MS:
            break
        passed.add(name)
        name = into
    return name


def merge(world: World, a: Customer, event: dict[str, Any]) -> Customer | None:
    """Puts A's history before B's; returns B when a profile ends the patience of either's steps."""
    into = event["data"]["into"]
    if into in (a["name"], event["published_for"]):
        return None
    b = world["customers"].setdefault(into, new_customer(into))
    t = event["t"]
    has_profile = [any(e["type"] == "profile_updated" for e in one["events"]) for one in (a, b)]
    world["customers"][a["name"]] = new_customer(a["name"])
    world["merged"][a["name"]] = (into, world["now"])
    world["merged"].pop(into, None)
    moving = [i | {} for i in a["instances"]]
    timers = [timer for timer in world["timers"] if timer["customer"] is a]
    join(world, a, b, t)
    b["seen"] |= {event["id"]}
    for one, old in zip(moving, a["instances"], strict=True):
        one["opened_by"] = one.get("opened_by") or a["name"]
        its = [timer for timer in timers if timer["instance"] is old]
        move_instance(world, b, one, its)
    for name, trigger in triggers_in_order(world):
        if trigger["kind"] == "milestone":
            undecided = {one["key"] for one in b["instances"] if one["trigger"] == name}
            passed = set(marks(world, b, trigger)) - undecided
            b["decided_marks"] |= {(name, text) for text in passed}
        elif trigger["kind"] == "anniversary":
            schedule_anniversary(world, b, name, trigger)
        elif trigger["kind"] == "date":
            move_days(world, b, name, trigger)
    return b if has_profile[0] != has_profile[1] else None


def join(world: World, a: Customer, b: Customer, t: int) -> None:
    """Makes B's history that of both."""
    taken_back = [
        {"topic": "-", "type": "withdrawal", "t": t, "data": {"consent": {channel: False}}}
        for one in (a, b)
        for channel, value in profile(one)["consent"].items()
        if value is False
    ]
    for channel in world["rules"]["channels"]:
        field = world["rules"]["channels"][channel]["requires"]
        if last_written(a, field) > last_written(b, field) and channel in a["address_changes"]:
            b["address_changes"][channel] = a["address_changes"][channel]
    reopened = opt_outs(world, a, b, t)
    for one, other in ((a, b), (b, a)):
        spare(one["events"], other["events"])
        for send in one["sends"]:
            send["known"] = send.get("known", []) + one["events"][send["events_before"] :]
    b["events"] = a["events"] + b["events"] + taken_back + reopened
    b["decide_from"] = max(a["decide_from"], b["decide_from"])
    for name in ("bounced", "soft", "taken", "complained", "cancels", "opens"):
        b[name] = a[name] + b[name]
    for name in ("seen", "identities", "decided_marks", "recovered"):
        b[name] |= a[name]
    for name in ("starts", "fired_years"):
        for key, value in a[name].items():
            b[name][key] = max(value, b[name].get(key, value))
    for key in a["hits"].keys() | b["hits"].keys():
        both = [
            hit
            for one in (a, b)
            for hit in one["hits"].get(key, [])[one["counted_from"].get(key, 0) :]
        ]
        b["hits"][key], b["counted_from"][key] = sorted(both), 0
    for send in a["sends"]:
        send["opened_by"] = send.get("opened_by") or a["name"]
    b["sends"] = sorted(a["sends"] + b["sends"], key=lambda send: int(send["decided"]))
    for send in b["sends"]:
        send["events_before"] = len(b["events"])


def last_written(customer: Customer, field: str) -> float:
    """When the profile field was last written."""
    group, _, name = field.rpartition(".")
    times = [
        event["t"]
        for event in customer["events"]
        if event["type"] == "profile_updated"
        and name in (event["data"].get(group, {}) if group else event["data"])
    ]
    return max(times, default=float("-inf"))


def opt_outs(world: World, a: Customer, b: Customer, t: int) -> list[dict[str, Any]]:
    """What either left stays left, as of the merge; what was given back to both stays given."""
    channels = list(world["rules"]["channels"])
    grants = {channel: [given(one, channel) for one in (a, b)] for channel in channels}
    left = {
        where
        for one in (a, b)
        for where, _ in one["unsubscribed"]
        if where is None or has_left(one, where)
    }
    reopened = [
        {"topic": "-", "type": "grant", "t": max(t + 1, *grants[c]), "data": {"consent": {c: True}}}
        for c in channels
        if max(grants[c]) > float("-inf") and not has_left(a, c) and not has_left(b, c)
    ]
    b["unsubscribed"] = a["unsubscribed"] + b["unsubscribed"] + [(where, t) for where in left]
    return reopened


def given(customer: Customer, channel: str) -> float:
    """When consent was last given for the channel."""
    return max(
        (
            event["t"]
            for event in customer["events"]
            if event["type"] in ("profile_updated", "grant")
            and event["data"].get("consent", {}).get(channel) is True
        ),
        default=float("-inf"),
    )


def has_left(customer: Customer, channel: str) -> bool:
    """Whether an unsubscription from the channel, or from all, holds."""
    last = given(customer, channel)
    return any(w in (None, channel) and last <= t for w, t in customer["unsubscribed"])


def spare(events: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    """What the other cancelled before the merge is not what this one bought."""
    cancels = [id(e) for e in others if e["type"] in [c for c, _ in CANCELLERS.values()]]
    for event in events:
        if event["type"] in CANCELLERS:
            event["spared"] = [*event.get("spared", []), *cancels]


def move_instance(
    world: World, b: Customer, instance: dict[str, Any], timers: list[dict[str, Any]]
) -> None:
    """Gives B the instance, unless B's own of that trigger and key is newer."""
    trigger = world["rules"]["triggers"][instance["trigger"]]
    waits = any(timer["is_deferred"] or timer["is_parked"] for timer in timers)
    if trigger["kind"] == "anniversary" and not waits and not instance["has_fired"]:
        world["timers"] = [t for t in world["timers"] if not any(t is one for one in timers)]
        return
    for timer in timers:
        timer |= {"customer": b, "instance": instance}
    twins = [
        one
        for one in b["instances"]
        if (one["trigger"], one["key"]) == (instance["trigger"], instance["key"])
        and not (instance["has_fired"] and is_to_come(world, one))
    ]
    b["instances"].append(instance)
    if any(one["anchor"] >= instance["anchor"] for one in twins):
        end(world, b, [instance], "superseded")
    else:
        end(world, b, twins, "superseded")


def is_to_come(world: World, instance: dict[str, Any]) -> bool:
    """Whether the day of an anniversary is ahead: a used year's does not come again."""
    timers = [t for t in world["timers"] if t["instance"] is instance]
    return not instance["has_fired"] and not any(t["is_deferred"] or t["is_parked"] for t in timers)


def marks(world: World, customer: Customer, trigger: dict[str, Any]) -> list[str]:
    """All marks up to where the counter stands."""
    total = counter(world, customer, trigger)
    if "every" in trigger:
        numbers = range(1, int(total // trigger["every"]) + 1)
        return [str(number * trigger["every"]) for number in numbers]
    mark = trigger["reaches"]
    return [str(int(mark)) if mark == int(mark) else str(mark)] if mark <= total else []
