"""Milestone: a counter reaches its mark on this event for the first time."""

from collections.abc import Mapping
from typing import Any, Self

from app.core.context import EventContext
from app.core.customer.facts import number
from app.core.rules.conditions import Facts
from app.core.rules.kind import Kind
from app.core.rules.model import Trigger
from app.core.triggers.instances import open_instance


class Milestone(Kind, frozen=True, kw_only=True):
    """A counter (``field`` None: of events; else the sum of that data field) reaches ``mark``, or
    with ``is_every`` a multiple of it.
    """

    field: str | None
    mark: float
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
        if self.field is None:
            count = moment.customer.counts[moment.type]
            reached = count % self.mark == 0 if self.is_every else count == self.mark
            if reached:
                open_instance(moment, trigger, str(count))
            return
        amount = number(moment.data.get(self.field))
        if amount is None or amount <= 0:
            return
        total = moment.customer.sums[f"{moment.type}.{self.field}"]
        if round(total - amount, 6) < self.mark <= total:
            open_instance(moment, trigger, mark_text(self.mark))


def mark_text(mark: float) -> str:
    """The mark as a key: ``500`` for 500 and 500.0, ``499.5``."""
    return str(int(mark)) if mark == int(mark) else repr(mark)
