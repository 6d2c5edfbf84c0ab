"""Who may enter a trigger, by which key, and what a cancel covers: the oracle's naive answers."""

import json
from collections.abc import Mapping
from typing import Any

from tests.oracle.calendar import duration_ms, local
from tests.oracle.customer import Customer, field_or_none, holds, profile, zone
from tests.oracle.customer import identity as same_address
from tests.oracle.reading import key_text, types_in

Trigger = Mapping[str, Any]
Event = Mapping[str, Any]


def parts(trigger: Trigger, data: Mapping[str, Any]) -> list[str | None]:
    """The parts of the trigger's key that the data carries, in the order of its fields."""
    fields = trigger.get("key", [])
    return [key_text(data.get(f)) for f in ([fields] if isinstance(fields, str) else fields)]


def own_key(trigger: Trigger, data: Mapping[str, Any]) -> str | None:
    """The key in the data: its text, of a list of fields the JSON array; None if a part lacks."""
    found = parts(trigger, data)
    if None in found:
        return None
    if isinstance(trigger["key"], str):
        return found[0]
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


def agrees(trigger: Trigger, named: list[str | None], key: str) -> bool:
    """Whether a cancel that carries these parts is about the key; without any it is about all."""
    if all(part is None for part in named):
        return True
    own = json.loads(key) if not isinstance(trigger["key"], str) else [key]
    return all(part in (None, other) for part, other in zip(named, own, strict=True))


def settle(trigger: Trigger) -> int:
    """How long after a cancel a start is still taken for a late one."""
    return duration_ms(trigger.get("settle", "2m")) if trigger["kind"] == "abandonment" else 0


def is_cancel(trigger: Trigger, customer: Customer, event: Event, rules: Any, now: int) -> bool:
    """Whether the event cancels: an item names its type, and its condition holds."""
    items = trigger.get("cancel", [])
    for item in [items] if isinstance(items, str | dict) else items:
        types, when = (item, None) if isinstance(item, str) else (item["on"], item["when"])
        if event["type"] in types_in(types) and holds(when, customer, event["data"], rules, now):
            return True
    return False


def is_covered(
    world: Any, customer: Customer, name: str, named: list[str | None], t: int, thing: Any
) -> bool:
    """Whether a cancel at `t` that carries these parts is about an instance, or a send of one."""
    trigger = world["rules"]["triggers"][name]
    if thing["trigger"] != name or not agrees(trigger, named, thing["key"]):
        return False
    if trigger["kind"] == "anniversary":
        year = local(t, zone(customer, world["rules"])).year
        return bool(thing["anchor"] <= t or thing["key"] == str(year))
    return bool(thing["anchor"] <= t + settle(trigger))


def is_full(world: Any, customer: Customer, name: str, key: str, t: int, but: Any = None) -> bool:
    """Whether `once` or `limit` lets no instance of the key start at `t`, beside `but`."""
    trigger = world["rules"]["triggers"][name]
    sent = [s for s in customer["sends"] if not s["is_recalled"]]
    known = [one for one in [*customer["instances"], *sent] if one["trigger"] == name]

    def entered(each: Any, oldest: float) -> int:
        counted = {
            (one["key"], one["anchor"])
            for one in known
            if one["anchor"] > oldest and (each != "key" or one["key"] == key)
        }
        if but is not None:
            counted.discard((but["key"], but["anchor"]))
        return len(counted)

    once, limit = trigger.get("once"), trigger.get("limit")
    if once and entered(once, float("-inf")) >= 1:
        return True
    oldest = None if limit is None else t - duration_ms(limit["per"])
    return oldest is not None and entered(limit.get("each"), oldest) >= limit["times"]


def has_sent(customer: Customer, instance: Mapping[str, Any]) -> bool:
    """Whether a step of the instance was sent and not recalled."""
    return any(
        not send["is_recalled"] and identity(send) == identity(instance)
        for send in customer["sends"]
    )


def identity(one: Mapping[str, Any]) -> tuple[Any, ...]:
    """Trigger, key and anchor."""
    return one["trigger"], one["key"], one["anchor"]


def has_changed(rules: Any, customer: Customer, trigger: Trigger) -> bool:
    """Whether the latest event gave the watched field another value."""
    path = trigger["changed"].split(".")[1:]
    before = customer | {"events": customer["events"][:-1]}
    old, new = (field_or_none(profile(one), path) for one in (before, customer))
    held = [channel["requires"] for channel in rules["channels"].values()]
    if ".".join(path) in ("email", "phone", "push_token", *held):
        old, new = same_address(old), same_address(new)
    return bool(old != new or isinstance(old, bool) != isinstance(new, bool))


def answered(customer: Customer, event: Event) -> Any:
    """The send that an engagement event names; None without one."""
    if event["topic"] != "engagement":
        return None
    named = event["data"].get("request_id")
    known = [s for s in customer["sends"] if s["request_id"] == named and not s["is_recalled"]]
    return known[0] if known else None


def with_answer(customer: Customer, event: dict[str, Any]) -> dict[str, Any]:
    """The event as rules see it: an engagement event says what its send was."""
    if event["topic"] != "engagement":
        return event
    data = {name: value for name, value in event["data"].items() if name != "channel"}
    send = answered(customer, event)
    if send is not None:
        data |= {name: send[name] for name in ("trigger", "template", "step", "channel")}
    return event | {"data": data}
