"""Anniversary: a date that comes again each year at a local time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from app.core.context import DecisionContext, EventContext
from app.core.customer.instance import Instance
from app.core.customer.profile import parse_yearly
from app.core.customer.record import Customer
from app.core.recorded import Cause
from app.core.rules.conditions import NO_EVENT, Facts, Getter, compile_field
from app.core.rules.document_values import minute_of_day
from app.core.rules.kind import Kind
from app.core.rules.model import Trigger
from app.core.rules.zone import zone_of
from app.core.time.instants import DAY_MS
from app.core.time.zones import instant_of_local, local, zone
from app.core.triggers.entry import entry_stop
from app.core.triggers.instances import add_instance, remove_instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Anniversary(Kind):
    """A date that comes again each year, at ``minute`` past local midnight.

    ``source`` is ``profile`` (a date as text) or ``customer`` (an instant, its local date). The key
    of an instance is its year, its anchor the time at which it is due.
    """

    follows_dates = True
    is_anchored_at_event = False

    source: Literal["profile", "customer"]
    date: Getter
    minute: int

    @classmethod
    def compile(cls, body: Mapping[str, Any], facts: Facts) -> Self:
        path = body["of"]
        return cls(
            source="profile" if path.startswith("profile.") else "customer",
            date=compile_field(path, facts),
            minute=minute_of_day(body.get("at", "09:00")),
        )

    @property
    def local_minute(self) -> int:
        return self.minute

    @property
    def tells_personal_date(self) -> bool:
        return self.source == "profile"

    def is_over(self, moment: EventContext, key: str, anchor_ms: int) -> bool:
        """A cancel event ends the instance of its own local year, too, whose day lies ahead."""
        if anchor_ms <= moment.occurred_ms:
            return True
        tz = zone_of(moment.rules, moment.customer)
        return key == str(local(moment.occurred_ms, tz).year)

    def reschedule(self, moment: EventContext, trigger: Trigger) -> None:
        """An instance whose day has come stays as it is; one that still waits moves, or goes with
        its date. ``when`` is asked when a step is due, not a year ahead.
        """
        schedule(moment, trigger, self, lambda: moment.cause)

    @property
    def source_of_dates(self) -> str:
        return self.source

    def is_scheduled(self, moment: EventContext, trigger: Trigger) -> bool:
        """Whether the only instance that waits does so for the date, or none does without one."""
        customer = moment.customer
        fired_year = customer.fired_years.get(trigger.name, 0)
        value = self.date(NO_EVENT, customer, moment.now_ms)
        waiting_ms: int | None = None
        for instance in customer.open.of(trigger.name):
            year = _year(instance)
            if year is None or year <= fired_year:
                continue
            due_ms = _due_in_year(
                self.source, value, year, self.minute, zone_of(moment.rules, customer)
            )
            if waiting_ms is not None or instance.anchor_ms != due_ms:
                return False
            waiting_ms = due_ms
        return waiting_ms is not None or value is None

    def has_begun(self, customer: Customer, trigger: Trigger, instance: Instance) -> bool:
        """Whether its day has come: steps after the first are still to be decided."""
        year = _year(instance)
        return year is None or year <= customer.fired_years.get(trigger.name, 0)

    def may_enter(self, moment: DecisionContext, trigger: Trigger, instance: Instance) -> bool:
        """On the day ``once`` and ``limit`` are asked, not a year ahead: whom they stop enters in
        a later year, if ever.
        """
        customer = moment.customer
        is_first = not self.has_begun(customer, trigger, instance)
        if not is_first or not entry_stop(
            customer, trigger, instance.key, instance.anchor_ms, instance
        ):
            return True
        remove_instance(customer, instance)
        self.take_up(moment, trigger, instance)
        return False

    def take_up(self, moment: DecisionContext, trigger: Trigger, instance: Instance) -> None:
        """The day has come: this year is used up, and next year's instance is scheduled."""
        year = _year(instance)
        if year is not None and moment.customer.fired_years.get(trigger.name, 0) < year:
            moment.customer.fired_years[trigger.name] = year
            schedule(moment, trigger, self, lambda: instance.cause)

    def take_used_year(self, moment: EventContext, trigger: Trigger, used: int) -> None:
        customer = moment.customer
        own = customer.fired_years.get(trigger.name, 0)
        for instance in customer.open.of(trigger.name):
            year = _year(instance)
            if year is not None and own < year <= used and not instance.waits:
                remove_instance(customer, instance)

    def take_cancelled(self, moment: DecisionContext, trigger: Trigger, instance: Instance) -> None:
        """A cancelled year is used up, too."""
        self.take_up(moment, trigger, instance)


def schedule(
    moment: DecisionContext, trigger: Trigger, kind: Anniversary, cause: Callable[[], Cause]
) -> None:
    """Have exactly one instance wait for the next occurrence (none when there is no date).

    A parked one, whose day has come, stays as it is; the next is scheduled when it is decided.
    Another stays if its year has the date at its anchor, also when that has just come; not
    if an earlier year has it too: 29 February falls on the 28th in most years.
    """
    customer = moment.customer
    fired_year = customer.fired_years.get(trigger.name, 0)
    tz = zone_of(moment.rules, customer)
    value = kind.date(NO_EVENT, customer, moment.now_ms)
    day = None if value is None else _date_of(kind.source, value, tz)
    due = None
    if day is not None:
        is_past = kind.source == "customer"
        due = next_occurrence(day, kind.minute, tz, moment.now_ms, fired_year, is_past)
    has_come = False
    for instance in customer.open.of(trigger.name):
        year = _year(instance)
        if year is None or year <= fired_year:
            continue
        if instance.waits:
            has_come = True
            continue
        if (
            day is not None
            and due is not None
            and due[0] >= year
            and instance.anchor_ms == instant_of_local(in_year(day, year), kind.minute, tz)
        ):
            return
        remove_instance(customer, instance)
    if due is not None and not has_come:
        year, anchor_ms = due
        add_instance(moment, trigger, str(year), anchor_ms, {}, cause())


def _year(instance: Instance) -> int | None:
    """The year that an instance is for. None: it was opened as another kind, by older rules."""
    year, key = _utc_year(instance.anchor_ms // DAY_MS), instance.key
    if str(year) == key:
        return year
    if str(year + 1) == key:
        return year + 1
    return year - 1 if str(year - 1) == key else None


@lru_cache(maxsize=4096)
def _utc_year(day: int) -> int:
    return local(day * DAY_MS, zone("UTC")).year


def next_occurrence(
    day: date, minute: int, tz: ZoneInfo, now_ms: int, fired_year: int, is_past: bool
) -> tuple[int, int]:
    """(year, due) of the first occurrence after now: in no year before the date's, nor in the
    date's own year when that day is past (``is_past``: it is), nor in one that has already fired.
    """
    year = max(local(now_ms, tz).year, day.year, fired_year + 1)
    if year == day.year and (is_past or instant_of_local(day, minute, tz) <= now_ms):
        year += 1
    while True:
        due_ms = instant_of_local(in_year(day, year), minute, tz)
        if due_ms > now_ms:
            return year, due_ms
        year += 1


def _date_of(source: str, value: Any, tz: ZoneInfo) -> date | None:
    return parse_yearly(value) if source == "profile" else local(value, tz).date()


def _due_in_year(source: str, value: Any, year: int, minute: int, tz: ZoneInfo) -> int | None:
    """When the date of the record comes in a year; None: it is none."""
    day = None if value is None else _date_of(source, value, tz)
    return None if day is None else instant_of_local(in_year(day, year), minute, tz)


def in_year(day: date, year: int) -> date:
    """The same month and day of that year; 29 February falls on 28 where there is none."""
    try:
        return date(year, day.month, day.day)
    except ValueError:
        return date(year, 2, 28)
