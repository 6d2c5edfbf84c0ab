"""What holds of any decisions, whoever made them: functions of (rules, lines, decisions).

Each raises AssertionError naming the decision that breaks it. Decisions are dicts as the oracle
makes them, in the order made. A customer who is ever erased is left out where history matters:
what was sent to them before has rightly been forgotten.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from tests.oracle.best_channel import listed_channels
from tests.oracle.calendar import duration_ms, is_in_window, is_zone
from tests.oracle.experiments import body_of, steps_of
from tests.oracle.gates import family_of, is_covered, is_held_out

Rules = Mapping[str, Any]
Lines = Sequence[Mapping[str, Any]]
Decisions = Sequence[Mapping[str, Any]]
Run = Callable[[Rules, Lines], list[dict[str, Any]]]

NAMESPACE = UUID("6f1d3c52-8a0e-5b7e-9a3d-2f4b7c90e1aa")
GOES_OUT = ("send", "holdout")


def check_all(rules: Rules, lines: Lines, decisions: Decisions) -> None:
    """Every invariant of this module that one run can show."""
    for invariant in (
        caps_are_never_exceeded,
        quiet_hours_are_kept,
        cooldowns_are_kept,
        nothing_goes_out_after_expiry,
        nothing_goes_out_early,
        the_clock_never_goes_backwards,
        each_step_ends_once,
        request_ids_are_reproducible,
        deferrals_lead_somewhere,
        held_out_customers_get_no_marketing,
        transactional_steps_pass_by_the_marketing_gates,
        channels_are_the_steps_own,
    ):
        invariant(rules, lines, decisions)


def caps_are_never_exceeded(rules: Rules, lines: Lines, decisions: Decisions) -> None:
    """No rolling window that ends with a marketing send holds more than a cap's limit."""
    caps = rules.get("throttle", {}).get("caps", [])
    for customer, made in _by_customer(lines, decisions):
        sent: list[Mapping[str, Any]] = []
        for decision in made:
            if decision["outcome"] == "recall":
                sent = [s for s in sent if s["request_id"] != decision["request_id"]]
            if not _is_marketing(rules, decision) or decision["outcome"] not in GOES_OUT:
                continue
            sent.append(decision)
            name = decision["trigger"]
            own = [cap | {"trigger": name} for cap in rules["triggers"][name].get("caps", [])]
            for cap in [*caps, *own]:
                oldest = decision["decided_ms"] - duration_ms(cap["per"])
                if is_covered(rules, cap, name, decision["channel"]):
                    covered = [
                        s for s in sent if is_covered(rules, cap, s["trigger"], s["channel"])
                    ]
                    count = sum(s["decided_ms"] > oldest for s in covered)
                    assert count <= cap["limit"], (customer, cap, decision)


def quiet_hours_are_kept(rules: Rules, lines: Lines, decisions: Decisions) -> None:
    """A marketing send on a listed channel is outside the quiet hours of the customer's zone.

    Of a customer who had several zones it must be outside in one of them.
    """
    quiet = rules.get("throttle", {}).get("quiet_hours", [])
    for window in [quiet] if isinstance(quiet, Mapping) else quiet:
        for decision in decisions:
            if decision["outcome"] in GOES_OUT and _is_marketing(rules, decision):
                zones = _zones(rules, lines, decision["customer_id"])
                is_listed = decision["channel"] in window["channels"]
                at = decision["decided_ms"]
                is_quiet = all(is_in_window(at, window, zone) for zone in zones)
                assert not is_listed or not is_quiet, decision


def cooldowns_are_kept(rules: Rules, lines: Lines, decisions: Decisions) -> None:
    """Two instances of one family never have sends within the cooldown."""
    usual = rules.get("throttle", {}).get("cooldown", 0)
    for _customer, made in _by_customer(lines, decisions):
        sent: list[Mapping[str, Any]] = []
        for decision in made:
            if decision["outcome"] == "recall":
                sent = [s for s in sent if s["request_id"] != decision["request_id"]]
            if not _is_marketing(rules, decision) or decision["outcome"] not in GOES_OUT:
                continue
            own = rules["triggers"][decision["trigger"]].get("cooldown", usual)
            cooldown = body_of(rules, decision["experiment"]).get("cooldown", own)
            for other in sent:
                is_near = other["decided_ms"] > decision["decided_ms"] - duration_ms(cooldown)
                is_family = family_of(rules, other["trigger"]) == family_of(
                    rules, decision["trigger"]
                )
                is_same = _instance(other) == _instance(decision)
                assert not (is_near and is_family and not is_same), (other, decision)
            sent.append(decision)


def nothing_goes_out_after_expiry(rules: Rules, _lines: Lines, decisions: Decisions) -> None:
    """No step is sent, held out or deferred after its due time + `expires`."""
    for decision in decisions:
        expires = duration_ms(rules["triggers"][decision["trigger"]].get("expires", "24h"))
        last = decision["due_ms"] + expires
        if decision["outcome"] in (*GOES_OUT, "defer"):
            assert decision["decided_ms"] <= last, decision
        if decision["reason"] == "expired":
            assert decision["decided_ms"] > last, decision


def nothing_goes_out_early(_rules: Rules, _lines: Lines, decisions: Decisions) -> None:
    """No step is decided before it is due."""
    for decision in decisions:
        assert decision["decided_ms"] >= decision["due_ms"], decision


def the_clock_never_goes_backwards(_rules: Rules, _lines: Lines, decisions: Decisions) -> None:
    """Decisions are in the order of the times at which they were made."""
    times = [decision["decided_ms"] for decision in decisions]
    assert times == sorted(times)


def each_step_ends_once(_rules: Rules, lines: Lines, decisions: Decisions) -> None:
    """A step is deferred any number of times, ended once, and recalled once at most if it went."""
    for customer, made in _by_customer(lines, decisions):
        stories: dict[str, list[str]] = {}
        for decision in made:
            stories.setdefault(decision["request_id"], []).append(decision["outcome"])
        for request_id, story in stories.items():
            told = [outcome for outcome in story if outcome != "defer"]
            is_tidy = story == ["defer"] * (len(story) - len(told)) + told
            allowed: tuple[list[str], ...] = (["send"], ["holdout"], ["suppress"], [])
            assert is_tidy, (customer, request_id, story)
            assert told in (*allowed, ["send", "recall"], ["holdout", "recall"]), (customer, story)


def request_ids_are_reproducible(_rules: Rules, _lines: Lines, decisions: Decisions) -> None:
    """The request id is the UUID v5 of the step's identity."""
    for decision in decisions:
        trigger, key, anchor = _instance(decision)
        name = f"{trigger}|{decision['customer_id']}|{key}|{anchor}|{decision['step']}"
        assert decision["request_id"] == str(uuid5(NAMESPACE, name)), decision


def deferrals_lead_somewhere(rules: Rules, _lines: Lines, decisions: Decisions) -> None:
    """A step is deferred to a later time within its expiry, for a reason that passes."""
    for decision in decisions:
        at = decision["next_eligible_ms"]
        assert (at is not None) == (decision["outcome"] == "defer"), decision
        if at is not None:
            expires = duration_ms(rules["triggers"][decision["trigger"]].get("expires", "24h"))
            reasons: tuple[str, ...] = ("reach",)
            if _is_marketing(rules, decision):
                reasons = ("cap", "quiet", "window", "rate", "send_time")
            assert decision["reason"] in reasons, decision
            assert decision["decided_ms"] < at <= decision["due_ms"] + expires, decision


def held_out_customers_get_no_marketing(rules: Rules, _lines: Lines, decisions: Decisions) -> None:
    """Marketing of a held out customer is a ghost send, everything else is not."""
    for decision in decisions:
        if decision["outcome"] in GOES_OUT:
            is_ghost = _is_marketing(rules, decision) and (
                is_held_out(rules, decision["customer_id"], decision["trigger"])
                or body_of(rules, decision["experiment"]).get("ghost", False)
            )
            assert (decision["outcome"] == "holdout") == is_ghost, decision


def transactional_steps_pass_by_the_marketing_gates(
    rules: Rules, _lines: Lines, decisions: Decisions
) -> None:
    """A transactional step waits for a profile at most, and needs no consent."""
    marketing_only = (
        "cooldown",
        "consent",
        "cap",
        "quiet",
        "window",
        "rate",
        "send_time",
        "holdout",
    )
    for decision in decisions:
        if not _is_marketing(rules, decision):
            assert decision["reason"] not in marketing_only, decision


def channels_are_the_steps_own(rules: Rules, _lines: Lines, decisions: Decisions) -> None:
    """What goes out names one of its step's channels."""
    for decision in decisions:
        step = steps_of(rules, decision["trigger"], decision["experiment"])[decision["step"]]
        if decision["outcome"] in GOES_OUT:
            assert decision["channel"] in listed_channels(rules, step), decision


def repeats_change_nothing(run: Run, rules: Rules, lines: Lines, where: int) -> None:
    """A line of an event, delivered twice, leaves every decision as it was."""
    at = where % len(lines)
    envelope = lines[at].get("value", lines[at])
    if envelope is None:
        return  # erasing twice erases what came in between too, and is none of this
    assert run(rules, [*lines[: at + 1], lines[at], *lines[at + 1 :]]) == run(rules, lines)


def _is_marketing(rules: Rules, decision: Mapping[str, Any]) -> bool:
    trigger = rules["triggers"][decision["trigger"]]
    return bool(trigger.get("category", "marketing") == "marketing")


def _instance(decision: Mapping[str, Any]) -> tuple[str, str, int]:
    return decision["trigger"], decision["key"], decision["anchor_ms"]


def _by_customer(
    lines: Lines, decisions: Decisions
) -> Iterable[tuple[str, list[Mapping[str, Any]]]]:
    erased = {line["key"] for line in lines if line.get("value", 0) is None}
    names = sorted({d["customer_id"] for d in decisions} - erased)
    for name in names:
        yield name, [d for d in decisions if d["customer_id"] == name]


def _zones(rules: Rules, lines: Lines, customer: str) -> set[str]:
    found = {rules.get("timezone", "UTC")}
    for line in lines:
        envelope = line.get("value", line) or {}
        data = envelope.get("data")
        if envelope.get("customer_id") == customer and isinstance(data, dict):
            zone = data.get("timezone")
            found |= {zone} if is_zone(zone) else set()
    return found
