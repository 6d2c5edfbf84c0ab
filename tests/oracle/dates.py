"""When the steps of a `date` trigger are due, in the oracle's naive way."""

from collections.abc import Mapping
from typing import Any

from tests.oracle.calendar import (
    anniversary_ms,
    clock_time,
    date_or_none,
    duration_ms,
    instant_or_none,
)
from tests.oracle.customer import Customer, field_or_none, profile, zone

Trigger = Mapping[str, Any]


def named(trigger: Trigger, customer: Customer, data: Mapping[str, Any]) -> Any:
    """The value that `of` names."""
    root, *rest = trigger["of"].split(".")
    return field_or_none(data if root == "event" else profile(customer), rest)


def is_sound(trigger: Trigger, value: Any) -> bool:
    """Whether the value is a day, where there is an `at`, else an instant."""
    return (date_or_none if "at" in trigger else instant_or_none)(value) is not None


def due_or_none(
    rules: Any, trigger: Trigger, customer: Customer, value: Any, step: Mapping[str, Any]
) -> int | None:
    """When a step is due that counts from the value."""
    if "at" in trigger:
        day = date_or_none(value)
        if day is None:
            return None
        base = anniversary_ms(day, day.year, clock_time(trigger["at"]), zone(customer, rules))
    else:
        instant = instant_or_none(value)
        if instant is None:
            return None
        base = instant
    return base - duration_ms(step.get("before", 0)) + duration_ms(step.get("after", 0))


def value_before(trigger: Trigger, customer: Customer) -> Any:
    """What the profile said before the latest event."""
    return named(trigger, customer | {"events": customer["events"][:-1]}, {})
