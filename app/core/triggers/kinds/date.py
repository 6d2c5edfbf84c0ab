"""Date: a step before or after an instant, or a day, that an event or the profile names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal, Self

from app.core.context import DecisionContext, EventContext
from app.core.customer.instance import Instance
from app.core.customer.profile import parse_date
from app.core.decisions import Reason
from app.core.rules.arbitration import firing_ms
from app.core.rules.conditions import Facts, Getter, compile_field
from app.core.rules.document_values import minute_of_day, types_of
from app.core.rules.keys import compile_key
from app.core.rules.kind import Kind
from app.core.rules.model import Step, Trigger
from app.core.rules.variants import steps_of
from app.core.rules.zone import zone_of
from app.core.time.instants import MAX_MS, MIN_MS, parse_rfc3339
from app.core.time.zones import instant_of_local
from app.core.triggers.instances import end_instance
from app.core.triggers.starts import restart

#: Where an instance keeps the date that the profile had: no data field has this name.
_OF: Final = "of"


@dataclass(frozen=True, slots=True, kw_only=True)
class Date(Kind):
    """An instance anchored at the event that named the date last, whose steps are due so long
    before or after it.

    ``minute`` None: the value is an instant; else a day, and this minute of it in the customer's
    zone. A step that is not due after the anchor is left out.
    """

    follows_dates = True
    is_due_after_anchor = False

    source: Literal["event", "profile"]
    value: Getter
    minute: int | None

    @classmethod
    def compile(cls, body: Mapping[str, Any], facts: Facts) -> Self:
        path = body["of"]
        is_event = path.startswith("event.")
        return cls(
            types=types_of(body["on"]) if is_event else ("profile_updated",),
            key=compile_key(body["key"]) if is_event else None,
            source="event" if is_event else "profile",
            value=compile_field(path, facts),
            minute=minute_of_day(body["at"]) if "at" in body else None,
        )

    @property
    def local_minute(self) -> int | None:
        return self.minute

    @property
    def tells_personal_date(self) -> bool:
        return self.source == "profile"

    @property
    def watched_field(self) -> Getter | None:
        return self.value if self.source == "profile" else None

    def event_data(self, moment: EventContext) -> dict[str, Any]:
        if self.source == "event":
            return moment.data
        return {_OF: self.value({}, moment.customer, moment.now_ms)}

    def take_event(self, moment: EventContext, trigger: Trigger) -> None:
        """Open, or move what the key has open. An event that names no date, or no key, is not for
        this trigger; a date taken out of the profile ends its instance.
        """
        is_named = self._parsed(self.value(moment.data, moment.customer, moment.now_ms)) is not None
        if self.key is not None:
            key = self.key.of(moment.data)
            if key is not None and is_named:
                restart(moment, trigger, key)
        elif trigger.name not in moment.unchanged:
            if is_named:
                restart(moment, trigger, "")
                return
            for instance in moment.customer.open.of(trigger.name):
                end_instance(moment, instance, Reason.SUPERSEDED)

    def due_ms(self, moment: DecisionContext, step: Step, instance: Instance) -> int | None:
        due_ms = self._due_ms(moment, step, instance)
        return due_ms if due_ms is not None and due_ms > instance.anchor_ms else None

    def reschedule(self, moment: EventContext, trigger: Trigger) -> None:
        """In another zone a day begins at another time: move the steps that do not wait."""
        if self.minute is None:
            return
        customer = moment.customer
        for instance in customer.open.of(trigger.name):
            steps = steps_of(trigger, customer.customer_id, instance)
            for pending in instance.steps:
                if pending.waits or pending.step >= len(steps) or steps[pending.step].follows:
                    continue
                due_ms = self._due_ms(moment, steps[pending.step], instance)
                if due_ms is not None and due_ms != pending.due_ms:
                    customer.timer_gone(pending.fire_ms)
                    pending.due_ms = due_ms
                    pending.fire_ms = firing_ms(moment.rules, trigger, due_ms)
                    customer.timer_added(pending.fire_ms)

    def _due_ms(self, moment: DecisionContext, step: Step, instance: Instance) -> int | None:
        customer, data = moment.customer, instance.data
        if self.source == "profile":
            named = self._parsed(data.get(_OF))
        else:
            named = self._parsed(self.value(data, customer, moment.now_ms))
        if isinstance(named, date):
            assert self.minute is not None
            named = instant_of_local(named, self.minute, zone_of(moment.rules, customer))
        return None if named is None else named + step.after_ms

    def _parsed(self, value: object) -> date | int | None:
        """The day or instant that a value is; None when it is none of the kind that is wanted."""
        if self.minute is not None:
            return parse_date(value)
        try:
            instant_ms = parse_rfc3339(value) if isinstance(value, str) else value
        except ValueError:
            return None
        is_instant = type(instant_ms) is int and MIN_MS <= instant_ms <= MAX_MS
        return instant_ms if is_instant else None  # type: ignore[return-value]
