"""``once`` and ``limit``: how many instances of a trigger one customer may enter (spec section 5).

An instance counts while it is open, and after that when a step of it was sent, or ghost sent, and
not recalled. The window of a limit is open at its old end: anchors after t - ``per`` count.
"""

from collections.abc import Sequence
from typing import Final

from app.core.customer.instance import Instance
from app.core.customer.limits import MAX_ENTERED, shortened
from app.core.customer.parts import Entered, Sent
from app.core.customer.record import Customer
from app.core.rules.model import Entry, Trigger
from app.core.time.instants import BEGINNING_OF_TIME_MS

_NONE: Final[list[Entered]] = []
#: A longer key is remembered by its digest, which is as long.
_KEY_CHARS: Final = 64


def entry_stop(
    customer: Customer, trigger: Trigger, key: str, start_ms: int, own: Instance | None = None
) -> str | None:
    """``once`` or ``limit`` when that stops a start of the key at this time, else None; ``own`` is
    what the start has opened, and does not count.
    """
    for entry in trigger.entry:
        if _entered(customer, trigger.name, entry, key, start_ms, own) >= entry.times:
            return "once" if entry.per_ms is None else "limit"
    return None


def _entered(
    customer: Customer, name: str, entry: Entry, key: str, start_ms: int, own: Instance | None
) -> int:
    """How many instances of the trigger of that name count for the entry at a start."""
    after_ms = BEGINNING_OF_TIME_MS if entry.per_ms is None else start_ms - entry.per_ms
    counted = {
        (shortened(one.key, _KEY_CHARS), one.anchor_ms)
        for one in customer.open.of(name)
        if one.anchor_ms > after_ms and one is not own
    }
    for one in customer.entered.get(name, _NONE):
        if one.anchor_ms > after_ms:
            counted.add((one.key, one.anchor_ms))
    if entry.is_by_key:
        known = shortened(key, _KEY_CHARS)
        counted = {one for one in counted if one[0] == known}
    return len(counted)


def is_new_entry(current: Sequence[Instance]) -> bool:
    """Whether a start asks to enter: not when it replaces an instance that was not sent yet."""
    return not current or any(instance.sent for instance in current)


def remember_sent(customer: Customer, trigger: Trigger, instance: Instance, step: int) -> None:
    """A step was sent or ghost sent: from now on the instance counts, also when it has ended."""
    key = shortened(instance.key, _KEY_CHARS)
    entered = customer.entered.setdefault(trigger.name, [])
    for one in entered:
        if one.anchor_ms == instance.anchor_ms and one.key == key:
            one.sent |= 1 << step
            return
    entered.append(Entered(key, instance.anchor_ms, 1 << step))
    del entered[:-MAX_ENTERED]


def forget_sent(customer: Customer, sent: Sent) -> None:
    """A send was recalled: it counts no more."""
    for instance in customer.open.of(sent.trigger):
        if instance.anchor_ms == sent.anchor_ms and instance.key == sent.key:
            instance.sent &= ~(1 << sent.step)
    key = shortened(sent.key, _KEY_CHARS)
    entered = customer.entered.get(sent.trigger, _NONE)
    for one in entered:
        if one.anchor_ms == sent.anchor_ms and one.key == key:
            one.sent &= ~(1 << sent.step)
            if not one.sent:
                entered.remove(one)
            return
