"""Inactivity: silence after an event of ``since``; any later shop or travel event moves it."""

from typing import Final

from app.core.context import EventContext
from app.core.decisions import Reason
from app.core.rules.model import Inactivity, Trigger
from app.core.triggers.instances import end_instance, is_known, move_instance, open_instances
from app.core.triggers.kinds.abandonment import restart

#: There is at most one open instance, so its key is empty.
KEY: Final = ""


def take_event(moment: EventContext, trigger: Trigger, kind: Inactivity) -> None:
    """A ``since`` event opens, or moves the anchor like a later start.

    Any other later event moves the anchor of an open instance; ``when`` is asked when due.
    """
    if moment.type in kind.types:
        restart(moment, trigger, KEY)
        return
    for instance in open_instances(moment.customer, trigger):
        if moment.occurred_ms > instance.anchor_ms:
            if is_known(moment.customer, trigger, KEY, moment.occurred_ms):
                end_instance(moment, instance, Reason.SUPERSEDED)
            else:
                move_instance(moment, trigger, instance)
