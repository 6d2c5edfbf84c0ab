"""The oracle's verdict on one step (spec section 6), from full histories."""

from collections import Counter
from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any

from tests.oracle.calendar import clock_time, duration_ms, is_quiet, local, next_clock_time
from tests.oracle.customer import Customer, address_or_none, holds, profile, zone
from tests.oracle.experiments import assigned, body_of, steps_of

Verdict = dict[str, Any]


def judge(
    rules: Mapping[str, Any], customer: Customer, instance: Mapping[str, Any], due: int, now: int
) -> Verdict:
    """outcome, reason, channel and next_eligible_ms of a step that is due."""
    trigger = rules["triggers"][instance["trigger"]]
    assignment = assigned(rules, instance["trigger"], customer["name"], instance)
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
    own = body_of(rules, assignment).get("cooldown")
    if is_marketing and is_cooling_down(rules, customer, instance, now, own):
        return suppress("cooldown")

    first_failure: str | None = None
    later: list[tuple[int, str]] = []
    for channel in in_preference_order(customer, step["channels"]):
        failure, next_eligible = check(rules, customer, channel, is_marketing, now)
        if failure is None:
            wait = best_time_or_none(rules, customer, step, due, now) if is_marketing else None
            if wait is not None and wait <= last_chance:
                return verdict("defer", "send_time", None, wait)
            if is_marketing and is_held_out(rules, customer["name"]):
                return verdict("holdout", "holdout", channel)
            if body_of(rules, assignment).get("ghost"):
                return verdict("holdout", "holdout", channel)
            return verdict("send", "passed", channel)
        first_failure = first_failure or failure
        if next_eligible is not None:
            later.append(next_eligible)
    if later:
        at, reason = min(later, key=lambda one: one[0])  # the first of equals
        if at <= last_chance:
            return verdict("defer", reason, None, at)
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


def in_preference_order(customer: Customer, listed: list[str]) -> list[str]:
    """The step's channels: the customer's preferred ones first, then as the step has them."""
    preferred = [c for c in profile(customer).get("channels", []) if c in listed]
    return list(dict.fromkeys(preferred + listed))


def check(
    rules: Mapping[str, Any], customer: Customer, channel: str, is_marketing: bool, now: int
) -> tuple[str | None, tuple[int, str] | None]:
    """The first check that the channel fails, and when and why it could be tried again.

    The second is None unless quiet hours and caps are all that it fails.
    """
    if not address_or_none(rules, customer, channel):
        return "reach", None
    if is_marketing and not has_consent(rules, customer, channel):
        return "consent", None
    if is_blocked(rules, customer, channel, is_marketing):
        return "suppressed", None
    if not is_marketing:
        return None, None
    capped_until = cap_end_or_none(rules, customer, channel, now)
    quiet_until = quiet_end_or_none(rules, customer, channel, now)
    if capped_until is not None and (quiet_until is None or capped_until > quiet_until):
        return "cap", (capped_until, "cap")
    if quiet_until is not None:
        return ("quiet" if capped_until is None else "cap"), (quiet_until, "quiet")
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
    changed = customer["address_changes"].get(channel)
    for where, t in customer["bounced"]:
        if where == channel and not (changed is not None and t < changed):
            return True
    grants = [
        e["t"]
        for e in customer["events"]
        if e["type"] == "profile_updated" and e["data"].get("consent", {}).get(channel) is True
    ]
    return is_marketing and any(
        where in (None, channel) and not any(grant > t for grant in grants)
        for where, t in customer["unsubscribed"]
    )


def cap_end_or_none(
    rules: Mapping[str, Any], customer: Customer, channel: str, now: int
) -> int | None:
    """When the last of the full caps has room again; None when none is full."""
    ends: list[int] = []
    for cap in rules.get("throttle", {}).get("caps", []):
        if cap.get("channel") not in (None, channel):
            continue
        per = duration_ms(cap["per"])
        counted = sorted(
            send["decided"]
            for send in counting_sends(customer)
            if send["decided"] > now - per and cap.get("channel") in (None, send["channel"])
        )
        limit = cap["limit"]
        if is_tired(rules, customer, now):
            factor = rules["throttle"]["fatigue"].get("cap_factor", 1)
            limit = max(int(Decimal(str(factor)) * limit), 1)
        if len(counted) >= limit:
            ends.append(counted[len(counted) - limit] + per)
    return max(ends, default=None)


def quiet_end_or_none(
    rules: Mapping[str, Any], customer: Customer, channel: str, now: int
) -> int | None:
    """When the quiet hours that hold now on the channel end; None when none hold."""
    quiet = rules.get("throttle", {}).get("quiet_hours")
    if quiet is None or channel not in quiet.get("channels", [channel]):
        return None
    where = zone(customer, rules)
    start, end = clock_time(quiet["from"]), clock_time(quiet["to"])
    return next_clock_time(now, end, where) if is_quiet(now, start, end, where) else None


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


def is_held_out(rules: Mapping[str, Any], customer_name: str) -> bool:
    """Whether the customer's bucket of 10000 is under the percentage."""
    holdout = rules.get("holdout")
    if holdout is None:
        return False
    digest = sha256(f"{holdout['salt']}|{customer_name}".encode()).digest()
    return bool(int.from_bytes(digest[:8], "big") % 10_000 < holdout["percent"] * 100)
