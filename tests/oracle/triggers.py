"""How the oracle opens, moves, ends and decides instances (spec sections 4 and 5).

The world is one dict: `rules`, `now`, `customers` by name, `timers` (one flat list), `decisions`.
"""

from typing import Any
from uuid import UUID, uuid5

from tests.oracle.calendar import anniversary_ms, clock_time, duration_ms, local
from tests.oracle.customer import (
    Customer,
    address_or_none,
    anniversary_date,
    holds,
    identity,
    standing,
    value_of,
    zone,
)
from tests.oracle.experiments import assigned, audiences, steps_of
from tests.oracle.gates import judge, template_or_none
from tests.oracle.reading import amount, key_text, types_in, visible

World = dict[str, Any]
Instance = dict[str, Any]
Timer = dict[str, Any]

NAMESPACE = UUID("6f1d3c52-8a0e-5b7e-9a3d-2f4b7c90e1aa")


def triggers_in_order(world: World) -> list[tuple[str, dict[str, Any]]]:
    """Names and rules of the triggers, best priority first."""
    triggers = world["rules"]["triggers"]
    return sorted(triggers.items(), key=lambda item: (-item[1].get("priority", 50), item[0]))


def timer_order(world: World, timer: Timer) -> tuple[Any, ...]:
    """Due, best priority, trigger, customer, key, step; the anchor only tells twins apart."""
    instance = timer["instance"]
    priority = world["rules"]["triggers"][instance["trigger"]].get("priority", 50)
    where = (timer["customer"]["name"], instance["key"], timer["step"], instance["anchor"])
    return (timer["at"], -priority, instance["trigger"], *where)


def request_id(customer: Customer, instance: Instance, step: int) -> str:
    """The UUID v5 that the same step always has."""
    name = f"{instance['trigger']}|{customer['name']}|{instance['key']}|{instance['anchor']}|{step}"
    return str(uuid5(NAMESPACE, name))


# --- ending ---------------------------------------------------------------------------------


def cancel(world: World, customer: Customer, event: dict[str, Any]) -> None:
    """Recalls what the cancel event comes too late for and ends the open instances it covers."""
    for name, trigger in triggers_in_order(world):
        if event["type"] not in types_in(trigger.get("cancel")):
            continue
        key = key_text(event["data"].get(trigger["key"])) if "key" in trigger else None
        customer["cancels"].append((name, key, event["t"]))
        recall(world, customer, name, key, event["t"])
        covered = [
            instance
            for instance in customer["instances"]
            if instance["trigger"] == name
            and key in (None, instance["key"])
            and event["t"] >= instance["anchor"]
        ]
        end(world, customer, covered, "cancelled")
        if trigger["kind"] == "anniversary" and covered:
            years = [customer["fired_years"].get(name, 0), *(int(one["key"]) for one in covered)]
            customer["fired_years"][name] = max(years)
    if event["type"] in ("order_cancelled", "booking_cancelled"):
        for name, trigger in triggers_in_order(world):
            if trigger["kind"] == "milestone":
                total = counter(world, customer, trigger)
                under = [
                    instance
                    for instance in customer["instances"]
                    if instance["trigger"] == name
                    and float(instance["key"]) > total
                    and (name, instance["key"]) not in customer["decided_marks"]
                ]
                end(world, customer, under, "cancelled")


def counter(world: World, customer: Customer, trigger: dict[str, Any]) -> float:
    """What a milestone counts, net of cancelled purchases."""
    type_name, _, field = (trigger.get("count") or trigger["sum"]).partition(".")
    counted = standing(customer, type_name)
    if not field:
        return len(counted)
    total: float = 0
    for one in counted:
        total = round(total + amount(visible(one["data"], world["rules"]).get(field)), 6)
    return total


def recall(world: World, customer: Customer, name: str, key: str | None, t: int) -> None:
    """Takes back sends that the cancel preceded, while they are inside the recall window."""
    window = duration_ms(world["rules"].get("recall_window", "15m"))
    late_for = [
        send
        for send in customer["sends"]
        if send["trigger"] == name
        and key in (None, send["key"])
        and not send["is_recalled"]
        and send["anchor"] <= t < send["decided"]
        and world["now"] - send["decided"] <= window
    ]
    for send in sorted(late_for, key=lambda s: (s["key"], s["step"], s["anchor"])):
        send["is_recalled"] = True
        record(
            world, customer, send, send["step"], send["due"], "recall", "cancelled", send["channel"]
        )
        world["decisions"][-1] |= {name: send[name] for name in ("template", "segments")}


def end(world: World, customer: Customer, ended: list[Instance], reason: str) -> None:
    """Closes the instances: steps that wait are suppressed for that reason, others just go."""
    timers = [t for t in world["timers"] if any(t["instance"] is one for one in ended)]
    world["timers"] = [t for t in world["timers"] if not any(t is one for one in timers)]
    customer["instances"] = [i for i in customer["instances"] if not any(i is one for one in ended)]
    start = world.get("decide_from", 0)
    waiting = [t for t in timers if t["is_deferred"] or t["is_parked"]]
    for t in sorted([t for t in waiting if t["due"] >= start], key=instance_then_step):
        record(world, customer, t["instance"], t["step"], t["due"], "suppress", reason, None)


def instance_then_step(timer: Timer) -> tuple[str, int, int]:
    """What orders the suppressed steps of instances that end together."""
    return timer["instance"]["key"], timer["instance"]["anchor"], timer["step"]


# --- opening --------------------------------------------------------------------------------


def open_all(world: World, customer: Customer, event: dict[str, Any]) -> list[Instance]:
    """Lets the event open, move and close instances of every trigger; the ones it opened."""
    opened: list[Instance] = []
    for name, trigger in triggers_in_order(world):
        instance = None
        if trigger["kind"] == "event" and event["type"] in types_in(trigger["on"]):
            instance = open_one(world, customer, name, event["id"], event)
        elif trigger["kind"] == "milestone":
            mark = mark_or_none(world, customer, name, trigger, event)
            if mark is not None:
                instance = open_one(world, customer, name, mark, event)
        elif trigger["kind"] == "frequency" and event["type"] in types_in(trigger["on"]):
            key = key_text(event["data"].get(trigger["key"])) if "key" in trigger else ""
            if key is not None and has_become_frequent(customer, name, trigger, key, event["t"]):
                instance = open_one(world, customer, name, key, event)
        elif trigger["kind"] == "abandonment" and event["type"] in types_in(trigger["start"]):
            key = key_text(event["data"][trigger["key"]])
            assert key is not None
            instance = replace(world, customer, name, key, event, is_start=True)
        elif trigger["kind"] == "inactivity":
            is_start = event["type"] in types_in(trigger["since"])
            is_mover = event["topic"] in ("orders", "bookings") and is_open(customer, name, "")
            if is_mover or (is_start and not is_open(customer, name, "")):
                instance = replace(world, customer, name, "", event, is_start=is_start)
        elif trigger["kind"] == "anniversary":
            schedule_anniversary(world, customer, name, trigger)
        if instance is not None:
            opened.append(instance)
    return opened


def is_open(customer: Customer, name: str, key: str) -> bool:
    """Whether the trigger has an instance of that key with a step not finally decided."""
    return any(i["trigger"] == name and i["key"] == key for i in customer["instances"])


def replace(
    world: World, customer: Customer, name: str, key: str, event: dict[str, Any], *, is_start: bool
) -> Instance | None:
    """Opens the key anew from a later anchor. Of a start the condition must hold at once."""
    current = [i for i in customer["instances"] if i["trigger"] == name and i["key"] == key]
    if any(event["t"] <= instance["anchor"] for instance in current):
        return None
    end(world, customer, current, "superseded")
    return open_one(world, customer, name, key, event, is_start=is_start)


def open_one(
    world: World,
    customer: Customer,
    name: str,
    key: str,
    event: dict[str, Any],
    *,
    is_start: bool = True,
) -> Instance | None:
    """Opens an instance unless a cancel covers the event, it is a twin, or `when` fails."""
    trigger = world["rules"]["triggers"][name]
    if any(
        cancelled == name and cancelled_key in (None, key) and event["t"] <= t
        for cancelled, cancelled_key, t in customer["cancels"]
    ):
        return None
    if (name, key, event["t"]) in customer["identities"]:
        return None
    when = trigger.get("when") if is_start else None
    if not holds(when, customer, event["data"], world["rules"], world["now"]):
        return None
    instance = add_instance(world, customer, name, key, event["t"], event["data"])
    instance["anchor_type"] = event["type"]
    return instance


def add_instance(
    world: World, customer: Customer, name: str, key: str, anchor: int, data: dict[str, Any]
) -> Instance:
    """Puts an instance and a timer for each of its steps."""
    instance = {"trigger": name, "key": key, "anchor": anchor, "data": data, "has_fired": False}
    instance["audiences"] = [
        experiment
        for experiment, when in audiences(world["rules"], name).items()
        if holds(when, customer, data, world["rules"], world["now"])
    ]
    customer["instances"].append(instance)
    customer["identities"].add((name, key, anchor))
    assignment = assigned(world["rules"], name, customer["name"], instance)
    for number, step in enumerate(steps_of(world["rules"], name, assignment)):
        due = anchor + duration_ms(step.get("after", "0s"))
        timer = {"customer": customer, "instance": instance, "step": number}
        at = bucket_end(world, name, due)
        waits = {"is_deferred": False, "is_parked": False}
        world["timers"].append(timer | {"at": at, "due": due} | waits)
    return instance


def bucket_end(world: World, name: str, eligible: int) -> int:
    """When a step is decided that could be at `eligible`: marketing waits for its bucket's end."""
    length = duration_ms(world["rules"].get("throttle", {}).get("arbitration", 0))
    if length == 0 or world["rules"]["triggers"][name].get("category") == "transactional":
        return eligible
    return eligible - eligible % length + length


def mark_or_none(
    world: World,
    customer: Customer,
    name: str,
    trigger: dict[str, Any],
    event: dict[str, Any],
) -> str | None:
    """The mark that a counter reaches with this event, which is the customer's latest."""
    type_name, _, field = (trigger.get("count") or trigger["sum"]).partition(".")
    if event["type"] != type_name:
        return None
    counted = standing(customer, type_name)
    if not any(one is customer["events"][-1] for one in counted):
        return None
    if "count" in trigger:
        is_mark = (
            len(counted) % trigger["every"] == 0
            if "every" in trigger
            else len(counted) == trigger["reaches"]
        )
        text = str(len(counted))
    else:
        total = counter(world, customer, trigger)
        last = amount(visible(customer["events"][-1]["data"], world["rules"]).get(field))
        mark = trigger["reaches"]
        is_mark = round(total - last, 6) < mark <= total
        text = str(int(mark)) if mark == int(mark) else str(mark)
    return text if is_mark and (name, text) not in customer["decided_marks"] else None


def has_become_frequent(
    customer: Customer, name: str, trigger: dict[str, Any], key: str, t: int
) -> bool:
    """Whether the event is the one that makes `times`; if so the count starts again after it."""
    hits = customer["hits"].setdefault((name, key), [])
    hits.append(t)
    start = customer["counted_from"].get((name, key), 0)
    recent = [hit for hit in hits[start:] if hit > t - duration_ms(trigger["within"])]
    if len(recent) < trigger["times"]:
        return False
    customer["counted_from"][name, key] = len(hits)
    return True


def schedule_anniversary(
    world: World, customer: Customer, name: str, trigger: dict[str, Any]
) -> None:
    """Keeps one instance ahead that has not fired, in the first year the date and zone allow."""
    rules, now = world["rules"], world["now"]
    waiting = [i for i in customer["instances"] if i["trigger"] == name and not i["has_fired"]]
    origin = anniversary_date(customer, rules, trigger["of"], now)
    if origin is None:
        end(world, customer, waiting, "superseded")
        return
    at, where = clock_time(trigger["at"]), zone(customer, rules)
    is_past_event = trigger["of"].startswith("customer.")
    year = max(origin.year, local(now, where).year - 1)
    while True:
        anchor = anniversary_ms(origin, year, at, where)
        if (
            year >= origin.year + is_past_event
            and year > customer["fired_years"].get(name, 0)
            and (anchor > now or any(i["anchor"] == anchor for i in waiting))
        ):
            break
        year += 1
    if any(i["anchor"] == anchor and i["key"] == str(year) for i in waiting):
        return
    end(world, customer, waiting, "superseded")
    add_instance(world, customer, name, str(year), anchor, {})


# --- deciding -------------------------------------------------------------------------------


def fire(world: World, timer: Timer) -> None:
    """Decides the step of a timer whose time has come."""
    world["timers"] = [t for t in world["timers"] if t is not timer]
    customer, instance = timer["customer"], timer["instance"]
    name, step, due = instance["trigger"], timer["step"], timer["due"]
    trigger = world["rules"]["triggers"][name]
    found: dict[str, Any] = {"outcome": "left", "next_eligible_ms": None}
    is_left = due < world.get("decide_from", due)
    if not is_left and not world["is_current"] and trigger.get("category") != "transactional":
        world["timers"].append(timer | {"is_parked": True})
        return
    timer = timer | {"is_parked": False}
    if not is_left:
        found = judge(
            world["rules"],
            customer,
            instance | {"deciding": step},
            due,
            world["now"],
            world["slots"],
            timer.get("slot"),
            has_waited=timer.get("is_patient", False),
        )
    outcome, at = found["outcome"], found["next_eligible_ms"]
    if outcome != "left":
        record(world, customer, instance, step, due, outcome, found["reason"], found["channel"], at)
    if outcome != "defer":
        customer["decided_marks"].add((name, instance["key"]))
    if outcome == "defer":
        again = bucket_end(world, name, at)
        if found["reason"] == "rate":
            again = at - world["grace"]
        is_patient = found["reason"] == "reach"
        waiting = {"at": again, "is_deferred": True, "slot": found.get("slot")}
        world["timers"].append(timer | waiting | {"is_patient": is_patient})
    elif outcome in ("send", "holdout"):
        send = {
            "trigger": name,
            "key": instance["key"],
            "anchor": instance["anchor"],
            "audiences": instance["audiences"],
            "step": step,
            "due": due,
            "decided": world["now"],
            "channel": found["channel"],
            "template": world["decisions"][-1]["template"],
            "segments": world["decisions"][-1]["segments"],
            "data": instance["data"],
            "request_id": request_id(customer, instance, step),
            "is_marketing": trigger.get("category", "marketing") == "marketing",
            "is_recalled": False,
            "is_opened": False,
            "is_ghost": outcome == "holdout",
            "address": identity(address_or_none(world["rules"], customer, found["channel"])),
            "experiment": world["decisions"][-1]["experiment"],
            "anchor_type": instance.get("anchor_type"),
            "kinds": set(),
            "events_before": len(customer["events"]),
        }
        customer["sends"].append(send)
    if not any(t["instance"] is instance for t in world["timers"]):
        customer["instances"] = [i for i in customer["instances"] if i is not instance]
    if trigger["kind"] == "anniversary" and not instance["has_fired"]:
        instance["has_fired"] = True
        customer["fired_years"][name] = int(instance["key"])
        schedule_anniversary(world, customer, name, trigger)


def record(
    world: World,
    customer: Customer,
    instance: Instance,
    step: int,
    due: int,
    outcome: str,
    reason: str,
    channel: str | None,
    next_eligible: int | None = None,
) -> None:
    """Adds a decision made now."""
    rules, name = world["rules"], instance["trigger"]
    assignment = assigned(rules, name, customer["name"], instance)
    body = steps_of(rules, name, assignment)[step]
    world["decisions"].append(
        {
            "request_id": request_id(customer, instance, step),
            "customer_id": customer["name"],
            "trigger": instance["trigger"],
            "key": instance["key"],
            "step": step,
            "outcome": outcome,
            "reason": reason,
            "channel": channel,
            "due_ms": due,
            "decided_ms": world["now"],
            "next_eligible_ms": next_eligible,
            "experiment": assignment,
            "segments": value_of("customer.segments", customer, {}, rules, world["now"]),
            "template": template_or_none(rules, customer, instance["data"], body, world["now"]),
        }
    )
