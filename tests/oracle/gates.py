"""The oracle's verdict on one step (spec section 6), from full histories."""

from collections import Counter
from collections.abc import Mapping
from datetime import time, timedelta
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from math import ceil
from typing import Any

from app.kafka.partitioning import partition_for
from tests.oracle.best_channel import best_channel, listed_channels
from tests.oracle.calendar import (
    WEEKDAYS,
    clock_time,
    duration_ms,
    first_minute,
    instants,
    is_in_window,
    local,
    next_clock_time,
)
from tests.oracle.customer import (
    Customer,
    address_or_none,
    holds,
    identity,
    owner,
    profile,
    zone,
)
from tests.oracle.experiments import assigned, body_of, steps_of

Verdict = dict[str, Any]
#: partition -> (channel, window) of a rate -> its next free slot
Slots = dict[int, dict[tuple[str, str], int]]


def judge(
    rules: Mapping[str, Any],
    customer: Customer,
    instance: Mapping[str, Any],
    due: int,
    now: int,
    slots: Slots,
    kept: tuple[str, int] | None = None,
    *,
    has_waited: bool = False,
) -> Verdict:
    """outcome, reason, channel and next_eligible_ms of a step that is due.

    `kept` is the slot of a rate that it waited for, `has_waited` whether it waited for a profile.
    """
    trigger = rules["triggers"][instance["trigger"]]
    assignment = assigned(rules, instance["trigger"], owner(customer, instance), instance)
    step = steps_of(rules, instance["trigger"], assignment)[instance["deciding"]]
    is_marketing = trigger.get("category", "marketing") == "marketing"
    last_chance = due + duration_ms(trigger.get("expires", "24h"))
    if now > last_chance:
        return suppress("expired")
    if not holds(trigger.get("when"), customer, instance["data"], rules, now):
        return suppress("condition")
    if not holds(step.get("when"), customer, instance["data"], rules, now):
        return suppress("condition")
    if template_or_none(rules, customer, instance["data"], step, now) is None:
        return suppress("condition")
    own = body_of(rules, assignment).get("cooldown", trigger.get("cooldown"))
    if is_marketing and is_cooling_down(rules, customer, instance, now, own):
        return suppress("cooldown")

    first_failure: str | None = None
    later: list[tuple[int, str, str]] = []
    all_unreachable = True
    for channel in in_preference_order(rules, customer, step):
        failure, next_eligible = check(rules, customer, channel, is_marketing, now)
        rate = None
        if failure is None and is_marketing:
            name = instance["trigger"]
            rate = next_of_rate(rules, customer, channel, now, slots, kept)
            waits = {
                "cap": cap_end_or_none(rules, customer, name, channel, now),
                "quiet": quiet_end_or_none(rules, customer, channel, now, last_chance),
                "window": window_or_none(rules, customer, trigger, step, due, now, last_chance),
                "rate": None if rate is None or rate <= now else rate,
            }
            failing = [reason for reason, at in waits.items() if at is not None]
            if failing:
                latest = max(at for at in waits.values() if at is not None)
                named = [r for r in ("quiet", "cap", "window", "rate") if waits[r] == latest]
                failure, next_eligible = failing[0], (latest, named[0], channel)
        if failure is None:
            wait = best_time_or_none(rules, customer, step, due, now) if is_marketing else None
            if wait is not None and wait <= last_chance:
                return verdict("defer", "send_time", None, wait)
            take_slot(rules, customer, channel, rate, slots)
            if is_marketing and is_held_out(rules, customer["name"], instance["trigger"]):
                return verdict("holdout", "holdout", channel)
            if body_of(rules, assignment).get("ghost"):
                return verdict("holdout", "holdout", channel)
            return verdict("send", "passed", channel)
        first_failure = first_failure or failure
        all_unreachable &= failure == "reach"
        if next_eligible is not None:
            later.append(next_eligible)
    if later:
        at, reason, channel = min(later, key=lambda one: one[0])  # the first of equals
        if at <= last_chance:
            slot = None
            if reason == "rate" and (channel, at) != kept:
                take_slot(rules, customer, channel, at, slots)
                slot = (channel, at)
            return verdict("defer", reason, None, at) | {"slot": slot or kept}
    patience = duration_ms(rules.get("profile_patience", "60s"))
    has_profile = any(event["type"] == "profile_updated" for event in customer["events"])
    if not is_marketing and all_unreachable and not has_profile and not has_waited and patience:
        return verdict("defer", "reach", None, min(now + patience, last_chance))
    assert first_failure is not None
    return suppress(first_failure)


def template_or_none(
    rules: Mapping[str, Any],
    customer: Customer,
    data: Mapping[str, Any],
    step: Mapping[str, Any],
    now: int,
) -> str | None:
    """The step's template, of several the first that fits."""
    if isinstance(step["template"], str):
        return step["template"]
    for entry in step["template"]:
        if holds(entry.get("when"), customer, data, rules, now):
            return str(entry["template"])
    return None


def verdict(outcome: str, reason: str, channel: str | None, at: int | None = None) -> Verdict:
    """The four parts of a verdict."""
    return {"outcome": outcome, "reason": reason, "channel": channel, "next_eligible_ms": at}


def suppress(reason: str) -> Verdict:
    """A step that sends nothing."""
    return verdict("suppress", reason, None)


def in_preference_order(
    rules: Mapping[str, Any], customer: Customer, step: Mapping[str, Any]
) -> list[str]:
    """The step's channels: the customer's preferred ones first, then as the step has them; before
    all the model's best where the step asks for it.
    """
    listed = listed_channels(rules, step)
    preferred = profile(customer).get("channels", [])
    if step["channels"] == "best":
        preferred = [best_channel(rules, customer), *preferred]
    return list(dict.fromkeys([name for name in preferred if name in listed] + listed))


def check(
    rules: Mapping[str, Any], customer: Customer, channel: str, is_marketing: bool, now: int
) -> tuple[str | None, None]:
    """The first check of the channel itself that fails."""
    if not address_or_none(rules, customer, channel):
        return "reach", None
    if is_marketing and not has_consent(rules, customer, channel):
        return "consent", None
    if is_blocked(rules, customer, channel, is_marketing):
        return "suppressed", None
    return None, None


def is_cooling_down(
    rules: Mapping[str, Any],
    customer: Customer,
    instance: Mapping[str, Any],
    now: int,
    own: str | None = None,
) -> bool:
    """Whether another instance of the family had a send within the cooldown, the variant's own if
    it has one.
    """
    throttle = rules.get("throttle", {})
    cooldown = duration_ms(throttle.get("cooldown", 0) if own is None else own)
    if is_tired(rules, customer, now):
        cooldown = int(Decimal(str(throttle["fatigue"].get("cooldown_factor", 1))) * cooldown)
    family = family_of(rules, instance["trigger"])
    identity = (instance["trigger"], instance["key"], instance["anchor"])
    return any(
        family_of(rules, send["trigger"]) == family
        and (send["trigger"], send["key"], send["anchor"]) != identity
        and send["decided"] > now - cooldown
        for send in counting_sends(customer)
    )


def is_tired(rules: Mapping[str, Any], customer: Customer, now: int) -> bool:
    """Whether the customer got many marketing messages of late and opened few of them."""
    fatigue = rules.get("throttle", {}).get("fatigue")
    if fatigue is None:
        return False
    recent = [
        send
        for send in counting_sends(customer)
        if send["decided"] > now - duration_ms(fatigue["window"])
    ]
    if len(recent) < fatigue["min_sends"]:
        return False
    share = Fraction(sum(send["is_opened"] for send in recent), len(recent))
    return share < Fraction(str(fatigue["open_rate_below"]))


def family_of(rules: Mapping[str, Any], trigger: str) -> str:
    """The trigger's family, its name unless it says otherwise."""
    return str(rules["triggers"][trigger].get("family", trigger))


def counting_sends(customer: Customer) -> list[dict[str, Any]]:
    """Marketing sends and ghost sends that were not recalled."""
    return [s for s in customer["sends"] if s["is_marketing"] and not s["is_recalled"]]


def has_consent(rules: Mapping[str, Any], customer: Customer, channel: str) -> bool:
    """The customer's word, else the rules' default, else no for sms and yes for the others."""
    default = rules["channels"][channel].get(
        "consent_default", rules.get("consent_default", {}).get(channel, channel != "sms")
    )
    return bool(profile(customer)["consent"].get(channel, default))


def is_blocked(
    rules: Mapping[str, Any], customer: Customer, channel: str, is_marketing: bool
) -> bool:
    """Unsubscribed (marketing only), hard-bounced or complained."""
    if any(where in (None, channel) for where in customer["complained"]):
        return True
    address = identity(address_or_none(rules, customer, channel))
    if (channel, address) in customer["bounced"]:
        return True
    grants = [
        e["t"]
        for e in customer["events"]
        if e["type"] in ("profile_updated", "grant")
        and e["data"].get("consent", {}).get(channel) is True
    ]
    return is_marketing and any(
        where in (None, channel) and not any(grant > t for grant in grants)
        for where, t in customer["unsubscribed"]
    )


def cap_end_or_none(
    rules: Mapping[str, Any], customer: Customer, trigger: str, channel: str, now: int
) -> int | None:
    """When the last of the full caps has room again; None when none is full."""
    ends: list[int] = []
    own = [cap | {"trigger": trigger} for cap in rules["triggers"][trigger].get("caps", [])]
    for cap in [*rules.get("throttle", {}).get("caps", []), *own]:
        if not is_covered(rules, cap, trigger, channel):
            continue
        per = duration_ms(cap["per"])
        counted = sorted(
            send["decided"]
            for send in counting_sends(customer)
            if send["decided"] > now - per
            and is_covered(rules, cap, send["trigger"], send["channel"])
        )
        limit = cap["limit"]
        if is_tired(rules, customer, now):
            factor = rules["throttle"]["fatigue"].get("cap_factor", 1)
            limit = max(int(Decimal(str(factor)) * limit), 1)
        if len(counted) >= limit:
            ends.append(counted[len(counted) - limit] + per)
    return max(ends, default=None)


def is_covered(
    rules: Mapping[str, Any], cap: Mapping[str, Any], trigger: str, channel: str
) -> bool:
    """Whether a cap counts, and binds, sends of that trigger on that channel."""
    return (
        cap.get("channel") in (None, channel)
        and cap.get("trigger") in (None, trigger)
        and cap.get("family") in (None, family_of(rules, trigger))
    )


def quiet_end_or_none(
    rules: Mapping[str, Any], customer: Customer, channel: str, now: int, last: int
) -> int | None:
    """When none of the quiet hours of the channel holds; None when that is now."""
    quiet = rules.get("throttle", {}).get("quiet_hours", [])
    windows = [quiet] if isinstance(quiet, Mapping) else quiet
    where = zone(customer, rules)

    def is_free(at: int) -> bool:
        listed = [one for one in windows if channel in one.get("channels", [channel])]
        return not any(is_in_window(at, one, where) for one in listed)

    return None if is_free(now) else first_minute(now, last, is_free)


def window_or_none(
    rules: Mapping[str, Any],
    customer: Customer,
    trigger: Mapping[str, Any],
    step: Mapping[str, Any],
    due: int,
    now: int,
    last: int,
) -> int | None:
    """When the delivery window of the step opens; None when it is open."""
    deliver = step.get("deliver", trigger.get("deliver"))
    if deliver is None:
        return None
    where = zone(customer, rules)
    if "at" not in deliver:
        if is_in_window(now, deliver, where):
            return None
        return first_minute(now, last, lambda at: is_in_window(at, deliver, where))
    days = [local(due, where).date() + timedelta(days=shift) for shift in range(9)]
    targets = [
        at
        for day in days
        if "days" not in deliver or WEEKDAYS[day.weekday()] in deliver["days"]
        if day.isoformat() not in deliver.get("except", [])
        for at in instants(day, clock_time(deliver["at"]), where)
        if at >= due
    ]
    target = min(targets, default=last + 1)
    return None if target <= now else target


def rates_of(rules: Mapping[str, Any], channel: str) -> list[tuple[tuple[str, str], int]]:
    """The rates of a channel: a name, and the time between two slots of a partition of 12."""
    return [
        ((channel, rate["per"]), ceil(duration_ms(rate["per"]) / (rate["limit"] // 12)))
        for rate in rules.get("throttle", {}).get("rate", [])
        if rate["channel"] == channel
    ]


def next_of_rate(
    rules: Mapping[str, Any],
    customer: Customer,
    channel: str,
    now: int,
    slots: Slots,
    kept: tuple[str, int] | None,
) -> int | None:
    """The slot that the step may go at; 0 for one that it kept and has reached; None: no rate."""
    rates = rates_of(rules, channel)
    if not rates:
        return None
    if kept is not None and kept[0] == channel and now < kept[1] + max(s for _, s in rates):
        return kept[1] if now < kept[1] else 0
    mine = slots.setdefault(partition_for(customer["name"].encode(), 12), {})
    return max(now, *(mine.get(name, 0) for name, _ in rates))


def take_slot(
    rules: Mapping[str, Any], customer: Customer, channel: str, at: int | None, slots: Slots
) -> None:
    """Moves the next free slots of the channel behind that one, unless it was kept."""
    if at:
        mine = slots.setdefault(partition_for(customer["name"].encode(), 12), {})
        for name, space in rates_of(rules, channel):
            mine[name] = max(mine.get(name, 0), at + space)


def best_time_or_none(
    rules: Mapping[str, Any], customer: Customer, step: Mapping[str, Any], due: int, now: int
) -> int | None:
    """When the customer's best hour begins, if the step is to wait for it."""
    send_time = step.get("send_time")
    if send_time is None or len(customer["opens"]) < send_time["min_opens"]:
        return None
    where = zone(customer, rules)
    hours = Counter(local(t, where).hour for t in customer["opens"])
    best = min(hour for hour in hours if hours[hour] == max(hours.values()))
    if local(now, where).hour == best:
        return None
    begins = next_clock_time(now, time(best), where)
    return begins if begins <= due + duration_ms(send_time["horizon"]) else None


def is_held_out(rules: Mapping[str, Any], customer_name: str, trigger: str) -> bool:
    """Whether the customer's bucket of 10000 is under the percentage of all, or the trigger's."""
    own = rules["triggers"][trigger].get("holdout")
    for holdout in (rules.get("holdout"), own and {"salt": trigger} | own):
        if holdout is not None:
            digest = sha256(f"{holdout['salt']}|{customer_name}".encode()).digest()
            if int.from_bytes(digest[:8], "big") % 10_000 < holdout["percent"] * 100:
                return True
    return False
