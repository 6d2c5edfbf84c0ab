"""Anniversary: a date that comes again each year at a local time."""

from datetime import date
from zoneinfo import ZoneInfo

from app.core.customer import Customer, Instance
from app.core.decisions import Cause
from app.core.instances import add_instance, open_instances
from app.core.moment import EventMoment, Moment
from app.core.profiles import parse_date
from app.core.rules import Anniversary, Trigger
from app.core.zones import instant_of_local, local, zone


def take_event(moment: EventMoment, trigger: Trigger, kind: Anniversary) -> None:
    """(Re)schedule after an event that may have set the date or the zone.

    An instance whose day has come stays as it is; one that still waits moves, or goes with its
    date. ``when`` is asked when a step is due, not a year ahead.
    """
    schedule(moment, trigger, kind, moment.cause)


def take_due(moment: Moment, trigger: Trigger, kind: Anniversary, instance: Instance) -> None:
    """The day has come: this year is used up, and next year's instance is scheduled."""
    year = int(instance.key)
    if moment.customer.fired_years.get(trigger.name, 0) < year:
        moment.customer.fired_years[trigger.name] = year
        schedule(moment, trigger, kind, instance.cause)


def schedule(moment: Moment, trigger: Trigger, kind: Anniversary, cause: Cause) -> None:
    """Have exactly one instance wait for the next occurrence (none when there is no date)."""
    customer = moment.customer
    fired_year = customer.fired_years.get(trigger.name, 0)
    waiting = [
        instance for instance in open_instances(customer, trigger) if int(instance.key) > fired_year
    ]
    found = next_occurrence(moment, trigger, kind)
    for instance in waiting:
        if found == (int(instance.key), instance.anchor_ms):
            return
        customer.instances.remove(instance)
        customer.timer_gone()
    if found is not None:
        year, anchor_ms = found
        add_instance(moment, trigger, str(year), anchor_ms, {}, cause)


def next_occurrence(moment: Moment, trigger: Trigger, kind: Anniversary) -> tuple[int, int] | None:
    """(year, due) of the first occurrence after now: in no year before the date's, nor in the
    date's own year when that day is past, nor in one that has already fired.
    """
    customer = moment.customer
    name = customer.profile.get("timezone")
    tz = moment.rules.timezone if name is None else zone(name)
    day = _date(customer, kind, tz, moment.now_ms)
    if day is None:
        return None
    today = local(moment.now_ms, tz).date()
    year = max(today.year, day.year, customer.fired_years.get(trigger.name, 0) + 1)
    if year == day.year and (
        kind.source == "customer" or instant_of_local(day, kind.minute, tz) <= moment.now_ms
    ):
        year += 1
    while True:
        due_ms = instant_of_local(in_year(day, year), kind.minute, tz)
        if due_ms > moment.now_ms:
            return year, due_ms
        year += 1


def _date(customer: Customer, kind: Anniversary, tz: ZoneInfo, now_ms: int) -> date | None:
    value = kind.date({}, customer, now_ms)
    if value is None:
        return None
    return parse_date(value) if kind.source == "profile" else local(value, tz).date()


def in_year(day: date, year: int) -> date:
    """The same month and day of that year; 29 February falls on 28 where there is none."""
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)
