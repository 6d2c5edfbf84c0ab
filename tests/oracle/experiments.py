"""Which variant of a trigger the oracle gives a customer, and what the variant changes."""

from collections.abc import Mapping
from datetime import date, time
from fractions import Fraction
from hashlib import sha256
from typing import Any

from tests.oracle.calendar import duration_ms, instant_or_none, instants

Assigned = tuple[str, str] | None

STEP_FIELDS = ("after", "before", "template", "channels", "send_time", "deliver")


def audiences(rules: Mapping[str, Any], trigger: str) -> dict[str, Any]:
    """Who may take part in the trigger's experiments: name -> condition, None for everybody."""
    return {
        name: experiment.get("when")
        for name, experiment in rules.get("experiments", {}).items()
        if experiment["trigger"] == trigger
    }


def assigned(
    rules: Mapping[str, Any], trigger: str, customer: str, instance: Mapping[str, Any]
) -> Assigned:
    """Experiment and variant of an instance; None when no experiment of its trigger covers it, or
    the customer was not in the audience when it opened.
    """
    for name, experiment in rules.get("experiments", {}).items():
        if name not in instance["audiences"]:
            continue
        if experiment["trigger"] != trigger or not covers(experiment, instance["anchor"], rules):
            continue
        digest = sha256(f"{experiment['salt']}|{name}|{customer}".encode()).digest()
        at = Fraction(int.from_bytes(digest[:8], "big") % 10_000, 10_000)
        weights = {
            variant: Fraction(str(body.get("weight", 1)))
            for variant, body in experiment["variants"].items()
        }
        for variant, weight in weights.items():
            at -= weight / sum(weights.values())
            if at < 0:
                return name, variant
    return None


def covers(experiment: Mapping[str, Any], anchor: int, rules: Mapping[str, Any]) -> bool:
    """Whether the experiment runs at the anchor."""
    start = instant_or_none(experiment["start"])
    if start is None:
        day = date.fromisoformat(experiment["start"])
        start = instants(day, time(0), rules.get("timezone", "UTC"))[0]
    if anchor < start:
        return False
    return "max_duration" not in experiment or (
        anchor < start + duration_ms(experiment["max_duration"])
    )


def body_of(rules: Mapping[str, Any], assignment: Assigned) -> dict[str, Any]:
    """What the variant says, nothing without one."""
    if assignment is None:
        return {}
    name, variant = assignment
    return dict(rules["experiments"][name]["variants"][variant])


def steps_of(
    rules: Mapping[str, Any], trigger: str, assignment: Assigned = None
) -> list[dict[str, Any]]:
    """The steps, the short form with one message included; the first as the variant has it."""
    body = rules["triggers"][trigger]
    steps = body.get("steps") or [{name: body[name] for name in STEP_FIELDS if name in body}]
    if "steps" in body_of(rules, assignment):
        return list(body_of(rules, assignment)["steps"])
    changes = {
        name: value
        for name, value in body_of(rules, assignment).items()
        if name in ("after", "template", "channels", "deliver")
    }
    return [steps[0] | changes, *steps[1:]]
