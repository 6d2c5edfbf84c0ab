"""A naive second implementation of the decision semantics, to compare the engine with.

It is written from the specification alone and shares nothing with the engine: one flat list of
timers scanned from end to end, whole histories kept per customer and folded anew at each question,
no index and no bound on memory. Clarity over speed. Left out: models.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.oracle.calendar import duration_ms
from tests.oracle.customer import Customer, address_or_none, identity, new_customer
from tests.oracle.entering import with_answer
from tests.oracle.merging import merge, newest_member
from tests.oracle.outcomes import attribute
from tests.oracle.reading import arrival_or_none, is_machine, read, spelling
from tests.oracle.triggers import (
    Timer,
    World,
    cancel,
    fire,
    open_all,
    take_touches,
    tell_what_ended,
    timer_order,
)


def run(
    rules: Mapping[str, Any],
    lines: Iterable[Mapping[str, Any]],
    *,
    until_ms: int | None = None,
    outage: tuple[int, int] | None = None,
    grace_ms: int = 5000,
    swaps: Mapping[int, Mapping[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """The decisions of a backtest in the order made; instants are epoch milliseconds.

    `swaps`: before the lines of these numbers, from 0, these rules take over.
    """
    world = replay(rules, lines, until_ms=until_ms, outage=outage, grace_ms=grace_ms, swaps=swaps)
    return list(world["decisions"])


def outcomes(
    rules: Mapping[str, Any],
    lines: Iterable[Mapping[str, Any]],
    *,
    until_ms: int | None = None,
    outage: tuple[int, int] | None = None,
    grace_ms: int = 5000,
) -> list[dict[str, Any]]:
    """What the sends and ghost sends of a backtest led to, in the order recorded."""
    world = replay(rules, lines, until_ms=until_ms, outage=outage, grace_ms=grace_ms)
    return list(world["outcomes"])


def dead_letters(rules: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> int:
    """How many of the lines cannot be understood."""
    return sum(read(line, rules)["what"] == "dead letter" for line in lines)


def replay(
    rules: Mapping[str, Any],
    lines: Iterable[Mapping[str, Any]],
    *,
    until_ms: int | None,
    outage: tuple[int, int] | None,
    grace_ms: int,
    state: Sequence[Mapping[str, Any]] = (),
    swaps: Mapping[int, Mapping[str, Any]] | None = None,
) -> World:
    """The world after all lines. Lines that arrive in the outage [from, to) are read at its end.
    From the lines of `state` customers are known; what falls due before the first line is left.
    """
    world: World = {
        "rules": rules,
        "grace": grace_ms,
        "now": None,
        "customers": {},
        "merged": {},
        "timers": [],
        "slots": {},
        "decisions": [],
        "ended": [],
        "recalled": [],
        "outcomes": [],
        "is_current": True,
    }
    if state:
        learn(world, lines, state)
    held: list[Mapping[str, Any]] = []
    is_outage_ahead = outage is not None
    clock: int | None = None
    for number, line in enumerate(lines):
        world["rules"] = rules = (swaps or {}).get(number, rules)
        arrival = arrival_or_none(line, rules)
        if arrival is not None:
            clock = arrival if clock is None else max(clock, arrival)
        if is_outage_ahead and outage and clock is not None and clock >= outage[0]:
            if clock < outage[1]:
                held.append(line)
                continue
            end_outage(world, outage, held)
            is_outage_ahead = False
        if clock is not None:
            let_time_pass(world, clock)
        handle(world, line)
        if clock is not None:
            fire_up_to(world, clock - grace_ms)
    if is_outage_ahead and outage and until_ms is not None and outage[0] <= until_ms < outage[1]:
        until_ms = outage[0] - 1
    if is_outage_ahead and outage and (held or (until_ms is not None and until_ms >= outage[1])):
        end_outage(world, outage, held)
    if until_ms is not None:
        let_time_pass(world, until_ms)
    return world


def learn(
    world: World, lines: Iterable[Mapping[str, Any]], state: Sequence[Mapping[str, Any]]
) -> None:
    """Reads what arrived before the first of the lines, deciding nothing."""
    arrivals = [arrival_or_none(line, world["rules"]) for line in lines]
    known = [arrival for arrival in arrivals if arrival is not None]
    first = known[0] if known else 1 << 62
    world["decide_from"] = 1 << 62
    for line in state:
        arrival = arrival_or_none(line, world["rules"])
        if arrival is not None and arrival >= first:
            continue
        if arrival is not None:
            let_time_pass(world, max(arrival, world["now"] or arrival))
        handle(world, line)
        if world["now"] is not None:
            fire_up_to(world, world["now"] - world["grace"])
    world["decide_from"] = first


def let_time_pass(world: World, to: int) -> None:
    """Moves the clock to `to`; each timer on the way fires grace after it was due."""
    while timer := next_timer_or_none(world, to - world["grace"]):
        world["now"] = max(world["now"], timer["at"] + world["grace"])
        fire(world, timer)
    world["now"] = to if world["now"] is None else max(world["now"], to)


def end_outage(world: World, outage: tuple[int, int], held: Iterable[Mapping[str, Any]]) -> None:
    """Reads what arrived during the outage in one go, at its end and by its own event time.

    Until all of it is read marketing steps that come up wait, unrecorded.
    """
    start, stop = outage
    let_time_pass(world, start - 1)
    world["now"] = max(world["now"], stop)
    world["is_current"] = False
    watermark = start - 1 - world["grace"]
    latest = watermark + world["grace"]
    for line in held:
        found = read(line, world["rules"])
        if "t" in found:
            latest = max(latest, min(found["t"], stop))
        watermark = max(watermark, latest - world["grace"])
        fire_up_to(world, watermark)
        handle(world, line)
        fire_up_to(world, watermark)
    world["is_current"] = True
    fire_up_to(world, stop - world["grace"])


def fire_up_to(world: World, watermark: int) -> None:
    """Fires what is due by the watermark without moving the clock."""
    while timer := next_timer_or_none(world, watermark):
        fire(world, timer)


def next_timer_or_none(world: World, watermark: int) -> Timer | None:
    """Of the timers due by the watermark, and those that wait for nothing more, the first."""
    due = [
        timer
        for timer in world["timers"]
        if (world["is_current"] if timer["is_parked"] else timer["at"] <= watermark)
    ]
    return min(due, key=lambda timer: timer_order(world, timer), default=None)


def handle(world: World, line: Mapping[str, Any]) -> None:
    """Applies one line, then decides the steps that are due with it."""
    event = read(line, world["rules"])
    if event["what"] == "erasure":
        world["customers"].pop(event["customer"], None)
        world["merged"].pop(event["customer"], None)
        name = event["customer"]
        world["timers"] = [t for t in world["timers"] if t["customer"]["name"] != name]
    if "customer" in event and event["what"] != "erasure" and world["now"] is not None:
        event["published_for"] = event["customer"]
        event["customer"] = newest_member(world, event["customer"])
    if event.get("withdrawn"):
        withdraw(world, event)
    if event["what"] != "event":
        return
    customer = world["customers"].setdefault(event["customer"], new_customer(event["customer"]))
    if event["id"] in customer["seen"]:
        return
    event["t"] = min(event["t"], world["now"])
    if event["type"] == "customer_merged":
        member = merge(world, customer, event)
        tell_what_ended(world)
        if member is not None:
            end_patience(world, member)
        return
    customer["seen"].add(event["id"])
    if is_machine(event):
        return

    customer["decide_from"] = max(customer["decide_from"], seeded_until(line))
    is_first_profile = event["type"] == "profile_updated" and not any(
        known["type"] == "profile_updated" for known in customer["events"]
    )
    remember(world, customer, event)
    attribute(world, customer, event)
    take_touches(world, customer, event)
    cancel(world, customer, with_answer(customer, event))
    opened = open_all(world, customer, event)
    tell_what_ended(world)

    immediate = [
        timer
        for timer in world["timers"]
        if any(timer["instance"] is one for one in opened)
        and timer["at"] == timer["instance"]["anchor"]
    ]
    for timer in sorted(immediate, key=lambda timer: timer_order(world, timer)):
        fire(world, timer)
    if is_first_profile:
        end_patience(world, customer)


def seeded_until(line: Mapping[str, Any]) -> int:
    """The instant of the header that `triggers seed` gives its lines."""
    return int(line.get("headers", {}).get("trigger-decide-from", 0))


def end_patience(world: World, customer: Customer) -> None:
    """Decides what waited for a profile."""
    patient = [t for t in world["timers"] if t["customer"] is customer and t.get("is_patient")]
    for timer in sorted(patient, key=lambda timer: timer_order(world, timer)):
        fire(world, timer)


def withdraw(world: World, event: dict[str, Any]) -> None:
    """Takes back the consents that an update withdraws which is a dead letter otherwise."""
    customer = world["customers"].setdefault(event["customer"], new_customer(event["customer"]))
    if event["id"] not in customer["seen"]:
        data = {"consent": dict.fromkeys(event["withdrawn"], False)}
        t = min(event["t"], world["now"])
        customer["events"].append({"topic": "-", "type": "withdrawal", "t": t, "data": data})


def remember(world: World, customer: Customer, event: dict[str, Any]) -> None:
    """Adds the event to the customer's history and to what blocks their channels."""
    channels = world["rules"]["channels"]
    before = {c: address_or_none(world["rules"], customer, c) for c in channels}
    known = {name: event[name] for name in ("topic", "type", "t", "data")}
    known["answer"] = with_answer(customer, event)["data"]
    customer["events"].append(known | {"file": world["rules"], "read_at": world["now"]})
    for channel, address in before.items():
        if identity(address) != identity(address_or_none(world["rules"], customer, channel)):
            customer["address_changes"][channel] = event["t"]
    if event["topic"] == "engagement":
        remember_feedback(world, customer, event)


def remember_feedback(world: World, customer: Customer, event: dict[str, Any]) -> None:
    """Opens, opt-outs and bounces: of the send that the event names, else of its channel."""
    data, t, rules = event["data"], event["t"], world["rules"]
    sends = [
        send
        for send in customer["sends"]
        if send["request_id"] == data.get("request_id") and not send["is_recalled"]
    ]
    says = spelling(data.get("channel"))
    says = says if says in rules["channels"] else None
    where = sends[0]["channel"] if sends else says
    if event["type"] == "unsubscribed":
        customer["unsubscribed"].append((says, t))
    if event["type"] == "message_complained":
        customer["complained"].append(where)
    if sends and sends[0]["is_ghost"]:
        return
    if event["type"] in ("message_opened", "message_clicked"):
        customer["opens"].append(t)
        for send in sends:
            send["is_opened"] = True
    if event["type"] in ("message_opened", "message_clicked", "message_delivered"):
        customer["taken"].append((where, t))
    if event["type"] == "message_bounced" and where is not None:
        if sends:
            address = sends[0]["address"]
        elif customer["address_changes"].get(where, t) > t:
            return
        else:
            address = identity(address_or_none(rules, customer, where))
        if address is not None:
            bounce(world, customer, where, address, t, data.get("hard", True) is not False)


def bounce(
    world: World, customer: Customer, channel: str, address: Any, t: int, is_hard: bool
) -> None:
    """Closes the channel for the address, at once or when it is one soft bounce too many."""
    soft = world["rules"].get("throttle", {}).get("soft_bounces")
    if not is_hard and soft is not None:
        customer["soft"].append((channel, address, t))
        times = [at for c, a, at in customer["soft"] if (c, a) == (channel, address)]
        after = max(times) - duration_ms(soft["within"])
        after = max([after, *(at for c, at in customer["taken"] if c == channel)])
        is_hard = sum(at > after for at in times) >= soft["limit"]
    if is_hard:
        customer["bounced"].append((channel, address))
