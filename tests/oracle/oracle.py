"""A naive second implementation of the decision semantics, to compare the engine with.

It is written from the specification alone and shares nothing with the engine: one flat list of
timers scanned from end to end, whole histories kept per customer and folded anew at each question,
no index and no bound on memory. Clarity over speed. Left out: models.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.oracle.customer import Customer, address_or_none, new_customer
from tests.oracle.outcomes import attribute
from tests.oracle.reading import arrival_or_none, read
from tests.oracle.triggers import Timer, World, cancel, fire, open_all, timer_order


def run(
    rules: Mapping[str, Any],
    lines: Iterable[Mapping[str, Any]],
    *,
    until_ms: int | None = None,
    outage: tuple[int, int] | None = None,
    grace_ms: int = 5000,
) -> list[dict[str, Any]]:
    """The decisions of a backtest in the order made; instants are epoch milliseconds."""
    world = replay(rules, lines, until_ms=until_ms, outage=outage, grace_ms=grace_ms)
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
) -> World:
    """The world after all lines. Lines that arrive in the outage [from, to) are read at its end."""
    world: World = {
        "rules": rules,
        "grace": grace_ms,
        "now": None,
        "customers": {},
        "timers": [],
        "slots": {},
        "decisions": [],
        "outcomes": [],
        "is_current": True,
    }
    held: list[Mapping[str, Any]] = []
    is_outage_ahead = outage is not None
    clock: int | None = None
    for line in lines:
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
        name = event["customer"]
        world["timers"] = [t for t in world["timers"] if t["customer"]["name"] != name]
    if event["what"] != "event":
        return
    customer = world["customers"].setdefault(event["customer"], new_customer(event["customer"]))
    if event["id"] in customer["seen"]:
        return
    customer["seen"].add(event["id"])
    event["t"] = min(event["t"], world["now"])

    is_first_profile = event["type"] == "profile_updated" and not any(
        known["type"] == "profile_updated" for known in customer["events"]
    )
    remember(world, customer, event)
    attribute(world, customer, event)
    cancel(world, customer, event)
    opened = open_all(world, customer, event)

    immediate = [
        timer
        for timer in world["timers"]
        if any(timer["instance"] is one for one in opened)
        and timer["at"] == timer["instance"]["anchor"]
    ]
    for timer in sorted(immediate, key=lambda timer: timer_order(world, timer)):
        fire(world, timer)
    if is_first_profile:
        patient = [t for t in world["timers"] if t["customer"] is customer and t.get("is_patient")]
        for timer in sorted(patient, key=lambda timer: timer_order(world, timer)):
            fire(world, timer)


def remember(world: World, customer: Customer, event: dict[str, Any]) -> None:
    """Adds the event to the customer's history and to what blocks their channels."""
    channels = world["rules"]["channels"]
    before = {c: address_or_none(world["rules"], customer, c) for c in channels}
    customer["events"].append({name: event[name] for name in ("topic", "type", "t", "data")})
    for channel, address in before.items():
        if address != address_or_none(world["rules"], customer, channel):
            customer["address_changes"][channel] = event["t"]

    data = event["data"]
    if event["type"] in ("message_opened", "message_clicked"):
        customer["opens"].append(event["t"])
        for send in customer["sends"]:
            is_named = send["request_id"] == data.get("request_id")
            send["is_opened"] |= is_named and not send["is_ghost"]
    says = data.get("channel") or None
    named = [s["channel"] for s in customer["sends"] if s["request_id"] == data.get("request_id")]
    if event["type"] == "unsubscribed":
        customer["unsubscribed"].append((says, event["t"]))
    if event["type"] == "message_complained":
        customer["complained"].append(says or (named[0] if named else None))
    if event["type"] == "message_bounced" and data.get("hard", True) is not False:
        where = says or (named[0] if named else None)
        if where is not None:
            customer["bounced"].append((where, event["t"]))
