"""Milestone: a counter reaches its mark on this event for the first time."""

from app.core.context import EventContext
from app.core.customer.facts import number
from app.core.rules.model import Milestone, Trigger
from app.core.triggers.instances import open_instance


def take_counted(moment: EventContext, trigger: Trigger, kind: Milestone) -> None:
    """Open when the counter, which already contains the event, has just come to its mark."""
    if kind.field is None:
        count = moment.customer.counts[kind.type]
        reached = count % kind.mark == 0 if kind.is_repeating else count == kind.mark
        if reached:
            open_instance(moment, trigger, str(count))
        return
    amount = number(moment.data.get(kind.field))
    if amount is None or amount <= 0:
        return
    total = moment.customer.sums[f"{kind.type}.{kind.field}"]
    if round(total - amount, 6) < kind.mark <= total:
        open_instance(moment, trigger, mark_text(kind.mark))


def mark_text(mark: float) -> str:
    """The mark as a key: ``500`` for 500 and 500.0, ``499.5``."""
    return str(int(mark)) if mark == int(mark) else repr(mark)
