"""Milestone: a counter reaches its mark on this event for the first time."""

from bisect import bisect_left, insort
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from app.core.context import DecisionContext, EventContext
from app.core.customer.instance import Instance
from app.core.customer.limits import MAX_MARKS
from app.core.customer.record import Customer
from app.core.decisions import Reason
from app.core.numbers import Number, number
from app.core.rules.conditions import Facts
from app.core.rules.kind import Kind
from app.core.rules.model import Trigger
from app.core.triggers.instances import end_instance
from app.core.triggers.starts import open_instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone(Kind):
    """A counter (``field`` None: of events; else the sum of that data field) reaches ``mark``, or
    with ``is_every`` a multiple of it.
    """

    is_counted = True

    field: str | None
    mark: Number
    is_every: bool

    @classmethod
    def compile(cls, body: Mapping[str, Any], facts: Facts) -> Self:
        event_type, _, field = body.get("sum", body.get("count", "")).partition(".")
        return cls(
            types=(event_type,),
            field=field or None,
            mark=body["every"] if "every" in body else body["reaches"],
            is_every="every" in body,
        )

    @property
    def summed_field(self) -> str | None:
        return self.field

    def take_event(self, moment: EventContext, trigger: Trigger) -> None:
        """Open when the counter, which already contains the event, has just come to its mark."""
        customer = moment.customer
        if not moment.is_counted:
            return
        if self.field is None:
            count = customer.counts[moment.type]
            reached = count % self.mark == 0 if self.is_every else count == self.mark
            if reached and not _is_reached(customer, trigger, count):
                open_instance(moment, trigger, str(count))
            return
        amount = number(moment.data.get(self.field))
        if amount is None or amount <= 0:
            return
        total = customer.sums[f"{moment.type}.{self.field}"]
        was_under = round(total - amount, 6) < self.mark <= total
        if was_under and not _is_reached(customer, trigger, self.mark):
            open_instance(moment, trigger, mark_text(self.mark))

    def take_back(self, moment: EventContext, trigger: Trigger) -> None:
        """End the instance of a mark that the counter has fallen under, unless a step of it was
        decided; the mark can then be reached again.
        """
        customer = moment.customer
        if self.field is None:
            total: Number = customer.counts.get(self.types[0], 0)
        else:
            total = customer.sums.get(f"{self.types[0]}.{self.field}", 0)
        for instance in customer.open.of(trigger.name):
            mark = _mark_of(instance)
            if mark is not None and mark > total and not _is_reached(customer, trigger, mark):
                end_instance(moment, instance, Reason.CANCELLED)

    def take_merge(self, moment: EventContext, trigger: Trigger) -> None:
        """Every mark up to where the counter stands now is reached: no event reached those in
        between. One that is open still waits for its decision, as without a merge.
        """
        customer = moment.customer
        if self.field is None:
            total: Number = customer.counts.get(self.types[0], 0)
        else:
            total = customer.sums.get(f"{self.types[0]}.{self.field}", 0)
        marks = customer.reached.setdefault(trigger.name, [])
        if self.is_every:
            last = int(total // self.mark)
            passed = [n * self.mark for n in range(max(1, last - MAX_MARKS + 1), last + 1)]
        else:
            passed = [self.mark] if self.mark <= total else []
        undecided = {_mark_of(instance) for instance in customer.open.of(trigger.name)}
        marks[:] = sorted({*marks, *passed} - (undecided - {*marks}))[-MAX_MARKS:]
        if not marks:
            del customer.reached[trigger.name]

    def take_decided(self, moment: DecisionContext, trigger: Trigger, instance: Instance) -> None:
        """The mark stays reached, whatever is cancelled later."""
        mark = _mark_of(instance)
        if mark is None or _is_reached(moment.customer, trigger, mark):
            return
        marks = moment.customer.reached.setdefault(trigger.name, [])
        insort(marks, mark)
        del marks[:-MAX_MARKS]


def _is_reached(customer: Customer, trigger: Trigger, mark: Number) -> bool:
    """Whether a step was decided for the mark, as far as that is remembered."""
    marks = customer.reached.get(trigger.name)
    if not marks:
        return False
    if len(marks) == MAX_MARKS and mark < marks[0]:
        return True
    index = bisect_left(marks, mark)
    return index < len(marks) and marks[index] == mark


def _mark_of(instance: Instance) -> float | None:
    """The mark that is the instance's key. None: it was opened as another kind, by older rules."""
    try:
        return float(instance.key)
    except ValueError:
        return None


def mark_text(mark: Number) -> str:
    """The mark as a key, the shortest decimal number: ``500`` for 500 and 500.0, ``499.5``."""
    return str(int(mark)) if mark == int(mark) else f"{Decimal(repr(mark)):f}"
