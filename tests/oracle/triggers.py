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
    owner,
    standing,
    value_of,
    zone,
)
from tests.oracle.dates import due_or_none, is_sound, named, value_before
from tests.oracle.entering import (
    agrees,
    answered,
    has_changed,
    has_sent,
    is_cancel,
    is_covered,
    is_full,
    own_key,
    parts,
    settle,
    with_answer,
)
from tests.oracle.experiments import assigned, audiences, steps_of
from tests.oracle.gates import judge, template_or_none
from tests.oracle.journeys import ends, flags, is_hopeless, touched
from tests.oracle.reading import amount, types_in, visible
from tests.oracle.tokens import tokens

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
    name = f"{instance['trigger']}|{owner(customer, instance)}|{instance['key']}"
    name += f"|{instance['anchor']}|{step}"
    return str(uuid5(NAMESPACE, name))


# --- ending ---------------------------------------------------------------------------------


def cancel(world: World, customer: Customer, event: dict[str, Any]) -> None:
    """Recalls what the cancel event comes too late for and ends the open instances it covers."""
    for name, trigger in triggers_in_order(world):
        if not is_cancel(trigger, customer, event, world["rules"], world["now"]):
            continue
        named = parts(trigger, event["data"])
        customer["cancels"].append((name, named, event["t"]))
        recall(world, customer, name, named, event["t"])
        covered = [
            instance
            for instance in customer["instances"]
            if is_covered(world, customer, name, named, event["t"], instance)
        ]
        end(world, customer, covered, "cancelled")
        if trigger["kind"] == "anniversary" and covered:
            years = [customer["fired_years"].get(name, 0), *(int(one["key"]) for one in covered)]
            customer["fired_years"][name] = max(years)
    world["recalled"].sort(key=lambda one: one[0])
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


def recall(world: World, customer: Customer, name: str, named: list[str | None], t: int) -> None:
    """Takes back sends that the cancel preceded, while they are inside the recall window."""
    window = duration_ms(world["rules"].get("recall_window", "15m"))
    for place, send in enumerate(customer["sends"]):
        if (
            not send["is_recalled"]
            and is_covered(world, customer, name, named, t, send)
            and t < send["decided"]
            and world["now"] - send["decided"] <= window
        ):
            send["is_recalled"] = True
            step, due, channel = send["step"], send["due"], send["channel"]
            made = record(world, customer, send, step, due, "recall", "cancelled", channel)
            made |= {part: send[part] for part in ("template", "segments", "tokens")}
            world["recalled"].append((place, made))


def decisions_begin(world: World, customer: Customer) -> int:
    """Steps that are due before this are not decided."""
    return max(int(world.get("decide_from", 0)), int(customer["decide_from"]))


def end(world: World, customer: Customer, ended: list[Instance], reason: str) -> None:
    """Closes the instances: steps that wait are suppressed for that reason, others just go."""
    timers = [t for t in world["timers"] if any(t["instance"] is one for one in ended)]
    world["timers"] = [t for t in world["timers"] if not any(t is one for one in timers)]
    customer["instances"] = [i for i in customer["instances"] if not any(i is one for one in ended)]
    start = decisions_begin(world, customer)
    for t in timers:
        if (t["is_deferred"] or t["is_parked"]) and t["due"] >= start:
            one = t["instance"]
            made = record(world, customer, one, t["step"], t["due"], "suppress", reason, None)
            priority = world["rules"]["triggers"][one["trigger"]].get("priority", 50)
            order = (-priority, one["trigger"], one["key"], one["anchor"], t["step"])
            world["ended"].append((order, made))


def tell_what_ended(world: World) -> None:
    """The decisions on what ended with an event, then its recalls."""
    ended, recalled = sorted(world["ended"], key=lambda one: one[0]), world["recalled"]
    world["decisions"] += [made for _, made in [*ended, *recalled]]
    world["ended"], world["recalled"] = [], []


# --- opening --------------------------------------------------------------------------------


def open_all(world: World, customer: Customer, event: dict[str, Any]) -> list[Instance]:
    """Lets the event open, move and close instances of every trigger; the ones it opened."""
    opened: list[Instance] = []
    seen = with_answer(customer, event)
    for name, trigger in triggers_in_order(world):
        instance = None
        if trigger["kind"] == "event" and event["type"] in types_in(trigger["on"]):
            instance = open_one(world, customer, name, event["id"], seen)
        elif trigger["kind"] == "milestone":
            mark = mark_or_none(world, customer, name, trigger, event)
            if mark is not None:
                instance = open_one(world, customer, name, mark, seen)
        elif trigger["kind"] == "frequency" and event["type"] in types_in(trigger["on"]):
            key = own_key(trigger, seen["data"]) if "key" in trigger else ""
            if key is not None and has_become_frequent(customer, name, trigger, key, event["t"]):
                instance = open_one(world, customer, name, key, seen)
        elif trigger["kind"] == "abandonment" and event["type"] in types_in(trigger["start"]):
            key = own_key(trigger, event["data"])
            assert key is not None
            instance = start(world, customer, name, key, seen)
        elif trigger["kind"] == "inactivity":
            is_activity = event["topic"] not in ("profiles", "engagement")
            is_start = event["type"] in types_in(trigger["since"])
            instance = None
            if is_activity or is_start:
                end(world, customer, come_back(customer, name, event["t"]), "superseded")
            if is_start:
                instance = start(world, customer, name, "", seen)
            elif is_activity and is_open(customer, name, ""):
                instance = move(world, customer, name, event)
        elif trigger["kind"] == "anniversary":
            schedule_anniversary(world, customer, name, trigger)
        elif trigger["kind"] == "date":
            instance = take_date(world, customer, name, trigger, seen)
        if instance is not None:
            opened.append(instance)
    return opened


def take_date(
    world: World, customer: Customer, name: str, trigger: dict[str, Any], event: dict[str, Any]
) -> Instance | None:
    """Moves days to another zone, and opens what an event, or a change of the profile, names."""
    if event["type"] == "profile_updated":
        move_days(world, customer, name, trigger)
    value = named(trigger, customer, event["data"])
    if trigger["of"].startswith("event."):
        key = own_key(trigger, event["data"])
        is_meant = event["type"] in types_in(trigger["on"]) and is_sound(trigger, value)
        return start(world, customer, name, key, event) if is_meant and key is not None else None
    if event["type"] != "profile_updated" or value == value_before(trigger, customer):
        return None
    if is_sound(trigger, value):
        return start(world, customer, name, "", event | {"data": {"named": value}})
    gone = [i for i in customer["instances"] if i["trigger"] == name]
    end(world, customer, gone, "superseded")
    return None


def move_days(world: World, customer: Customer, name: str, trigger: dict[str, Any]) -> None:
    """A day begins at another time in another zone; what waits stays where it is."""
    for timer in world["timers"]:
        one = timer["instance"]
        is_fixed = timer["is_deferred"] or timer["is_parked"] or timer["from"]
        if one["trigger"] == name and timer["customer"] is customer and not is_fixed:
            assignment = assigned(world["rules"], name, owner(customer, one), one)
            step = steps_of(world["rules"], name, assignment)[timer["step"]]
            due = due_or_none(world["rules"], trigger, customer, date_of(trigger, one), step)
            assert due is not None
            timer |= {"due": due, "at": bucket_end(world, name, due)}


def date_of(trigger: dict[str, Any], instance: Instance) -> Any:
    """What the event, or the profile, named when the instance opened."""
    return instance["data"].get("named", instance["data"].get(trigger["of"].split(".")[1]))


def is_open(customer: Customer, name: str, key: str) -> bool:
    """Whether the trigger has an instance of that key with a step not finally decided."""
    return any(i["trigger"] == name and i["key"] == key for i in customer["instances"])


def come_back(customer: Customer, name: str, t: int) -> list[Instance]:
    """The instances of an inactivity that end with this event: a step of them was decided."""
    return [
        instance
        for instance in customer["instances"]
        if instance["trigger"] == name and instance["is_decided"] and t > instance["anchor"]
    ]


def move(world: World, customer: Customer, name: str, event: dict[str, Any]) -> Instance | None:
    """Anchors the open instance anew at a later event; its condition is asked when it is due."""
    current = [i for i in customer["instances"] if i["trigger"] == name]
    if any(event["t"] <= instance["anchor"] for instance in current):
        return None
    end(world, customer, current, "superseded")
    if (name, "", event["t"]) in customer["identities"]:
        return None
    return open_at(world, customer, name, "", event)


def start(
    world: World, customer: Customer, name: str, key: str, event: dict[str, Any]
) -> Instance | None:
    """Opens the key anew from a newer start. One that `when` stops closes what was open."""
    send = answered(customer, event)
    if send is not None and send["trigger"] == name:
        return None
    newest = customer["starts"].get((name, key))
    if newest is not None and event["t"] <= newest:
        return None
    customer["starts"][name, key] = event["t"]
    current = [i for i in customer["instances"] if i["trigger"] == name and i["key"] == key]
    if any(event["t"] <= instance["anchor"] for instance in current):
        return None
    is_asked = not current or any(has_sent(customer, instance) for instance in current)
    if is_stopped(world, customer, name, key, event, is_asked=is_asked):
        return None
    end(world, customer, current, "superseded")
    when = world["rules"]["triggers"][name].get("when")
    if not holds(when, customer, event["data"], world["rules"], world["now"]):
        return None
    return open_at(world, customer, name, key, event)


def is_stopped(
    world: World,
    customer: Customer,
    name: str,
    key: str,
    event: dict[str, Any],
    *,
    is_asked: bool = True,
) -> bool:
    """Whether a cancel covers the event, it is a twin, or `once` and `limit` (if asked) forbid."""
    trigger = world["rules"]["triggers"][name]
    if any(
        cancelled == name and agrees(trigger, named, key) and event["t"] <= t + settle(trigger)
        for cancelled, named, t in customer["cancels"]
    ):
        return True
    if (name, key, event["t"]) in customer["identities"]:
        return True
    return is_asked and is_full(world, customer, name, key, event["t"])


def open_one(
    world: World, customer: Customer, name: str, key: str, event: dict[str, Any]
) -> Instance | None:
    """Opens an instance beside others, unless it is stopped or `when` fails."""
    trigger = world["rules"]["triggers"][name]
    send = answered(customer, event)
    if send is not None and send["trigger"] == name:
        return None
    if is_stopped(world, customer, name, key, event):
        return None
    if "changed" in trigger and not has_changed(world["rules"], customer, trigger):
        return None
    if not holds(trigger.get("when"), customer, event["data"], world["rules"], world["now"]):
        return None
    return open_at(world, customer, name, key, event)


def open_at(
    world: World, customer: Customer, name: str, key: str, event: dict[str, Any]
) -> Instance:
    """Opens an instance anchored at the event."""
    instance = add_instance(world, customer, name, key, event["t"], event["data"])
    instance["anchor_type"] = event["type"]
    return instance


def add_instance(
    world: World, customer: Customer, name: str, key: str, anchor: int, data: dict[str, Any]
) -> Instance:
    """Puts an instance and a timer for each of its steps."""
    instance = {"trigger": name, "key": key, "anchor": anchor, "data": data, "has_fired": False}
    instance["is_decided"] = False
    instance["audiences"] = [
        experiment
        for experiment, when in audiences(world["rules"], name).items()
        if holds(when, customer, data, world["rules"], world["now"])
    ]
    assignment = assigned(world["rules"], name, owner(customer, instance), instance)
    for number, step in enumerate(steps_of(world["rules"], name, assignment)):
        timer = {"customer": customer, "instance": instance, "step": number}
        timer |= {"from": step.get("from"), "after": step.get("after", "0s")}
        if "from" in step:
            of = step["from"]["step"]
            if not any(t["instance"] is instance and t["step"] == of for t in world["timers"]):
                continue
            last = {
                "at": ends(instance),
                "due": ends(instance),
                "is_deferred": False,
                "is_parked": False,
            }
            world["timers"].append(timer | last | {"awaits": True})
            continue
        due = anchor + duration_ms(step.get("after", "0s"))
        trigger = world["rules"]["triggers"][name]
        if trigger["kind"] == "date":
            found = due_or_none(world["rules"], trigger, customer, date_of(trigger, instance), step)
            if found is None or found <= anchor:
                continue
            due = found
        at = bucket_end(world, name, due)
        waits = {"is_deferred": False, "is_parked": False, "awaits": False}
        world["timers"].append(timer | {"at": at, "due": due} | waits)
    if any(timer["instance"] is instance for timer in world["timers"]):
        customer["instances"].append(instance)
        customer["identities"].add((name, key, anchor))
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
    """Keeps one instance ahead that has not fired, in the first year the date and zone allow.

    One that is parked has come, and stays; what follows is seen to when it is decided.
    """
    rules, now = world["rules"], world["now"]
    waiting = [i for i in customer["instances"] if i["trigger"] == name and not i["has_fired"]]
    parked = [timer["instance"] for timer in world["timers"] if timer["is_parked"]]
    come = [i for i in waiting if any(i is one for one in parked)]
    waiting = [i for i in waiting if not any(i is one for one in come)]
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
    if not come:
        add_instance(world, customer, name, str(year), anchor, {})


# --- deciding -------------------------------------------------------------------------------


def drop(world: World, timer: Timer) -> None:
    """Lets a step go undecided, and what awaits it, and the instance with its last step."""
    world["timers"] = [t for t in world["timers"] if t is not timer]
    instance, customer = timer["instance"], timer["customer"]
    for other in awaiting(world, instance, timer["step"]):
        drop(world, other)
    if not any(t["instance"] is instance for t in world["timers"]):
        customer["instances"] = [i for i in customer["instances"] if i is not instance]


def awaiting(world: World, instance: Instance, step: int) -> list[Timer]:
    """The timers of the instance that await what that step leads to."""
    return [
        t
        for t in world["timers"]
        if t["instance"] is instance and t["awaits"] and t["from"]["step"] == step
    ]


def take_touches(world: World, customer: Customer, event: dict[str, Any]) -> None:
    """Schedules the steps that awaited this event; the first by its own time counts."""
    for timer in world["timers"]:
        if timer["customer"] is customer and timer["from"]:
            due = touched(customer, timer, event)
            waits = timer["is_deferred"] or timer["is_parked"]
            if due is not None and (timer["awaits"] or (due < timer["due"] and not waits)):
                at = bucket_end(world, timer["instance"]["trigger"], due)
                timer |= {"awaits": False, "due": due, "at": at}


def follow(world: World, timer: Timer) -> None:
    """A step was decided: what follows its send at once is decided, what can not come goes."""
    for other in sorted(
        awaiting(world, timer["instance"], timer["step"]), key=lambda t: int(t["step"])
    ):
        if is_hopeless(timer["customer"], other):
            drop(world, other)
        elif other["from"]["on"] == "sent":
            due = world["now"] + duration_ms(other["after"])
            at = bucket_end(world, timer["instance"]["trigger"], due)
            other |= {"awaits": False, "due": due, "at": at}
            if at <= world["now"]:
                fire(world, other)


def fire(world: World, timer: Timer) -> None:
    """Decides the step of a timer whose time has come."""
    if timer["awaits"]:
        drop(world, timer)
        return
    world["timers"] = [t for t in world["timers"] if t is not timer]
    customer, instance = timer["customer"], timer["instance"]
    name, step, due = instance["trigger"], timer["step"], timer["due"]
    trigger = world["rules"]["triggers"][name]
    found: dict[str, Any] = {"outcome": "left", "next_eligible_ms": None}
    is_left = due < decisions_begin(world, customer)
    if not is_left and not world["is_current"] and trigger.get("category") != "transactional":
        world["timers"].append(timer | {"is_parked": True})
        return
    is_day = trigger["kind"] == "anniversary" and not instance["has_fired"]
    if is_day and is_full(world, customer, name, instance["key"], instance["anchor"], instance):
        end(world, customer, [instance], "superseded")
        come_up(world, customer, instance)
        return
    timer = timer | {"is_parked": False}
    if not is_left:
        asked = instance | {"deciding": step, "data": told(world, customer, instance)}
        found = judge(
            world["rules"],
            customer,
            asked,
            due,
            world["now"],
            world["slots"],
            timer.get("slot"),
            has_waited=timer.get("is_patient", False),
        )
    outcome, at = found["outcome"], found["next_eligible_ms"]
    if outcome != "left":
        made = record(
            world, customer, instance, step, due, outcome, found["reason"], found["channel"], at
        )
        world["decisions"].append(made)
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
            "tokens": world["decisions"][-1]["tokens"],
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
            "opened_by": instance.get("opened_by"),
        }
        customer["sends"].append(send)
    if outcome != "defer":
        instance["is_decided"] = True
        follow(world, timer)
    if not any(t["instance"] is instance for t in world["timers"]):
        customer["instances"] = [i for i in customer["instances"] if i is not instance]
    if trigger["kind"] == "anniversary" and not instance["has_fired"]:
        come_up(world, customer, instance)


def come_up(world: World, customer: Customer, instance: Instance) -> None:
    """The day of an anniversary has come: its year is over, and the next one waits."""
    name = instance["trigger"]
    instance["has_fired"] = True
    customer["fired_years"][name] = int(instance["key"])
    schedule_anniversary(world, customer, name, world["rules"]["triggers"][name])


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
) -> dict[str, Any]:
    """A decision made now."""
    rules, name = world["rules"], instance["trigger"]
    assignment = assigned(rules, name, owner(customer, instance), instance)
    body = steps_of(rules, name, assignment)[step]
    data = told(world, customer, instance)
    return {
        "request_id": request_id(customer, instance, step),
        "customer_id": customer["name"],
        "trigger": instance["trigger"],
        "key": instance["key"],
        "step": step,
        "outcome": outcome,
        "reason": reason,
        "channel": channel,
        "anchor_ms": instance["anchor"],
        "merged_from": instance.get("opened_by"),
        "due_ms": due,
        "decided_ms": world["now"],
        "next_eligible_ms": next_eligible,
        "experiment": assignment,
        "segments": value_of("customer.segments", customer, {}, rules, world["now"]),
        "template": template_or_none(rules, customer, data, body, world["now"]),
        "tokens": tokens(rules, name, customer, data, world["now"]) if outcome == "send" else None,
    }


def told(world: World, customer: Customer, instance: Instance) -> dict[str, Any]:
    """The anchoring event's data, and what became of the earlier steps."""
    return dict(instance["data"]) | flags(world, customer, instance)
