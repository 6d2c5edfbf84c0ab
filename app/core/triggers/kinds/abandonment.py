"""Abandonment: a start (of a cart, a checkout, a booking) that nothing ends in time."""

from app.core.context import EventContext, key_of
from app.core.decisions import Reason
from app.core.rules.model import Abandonment, Trigger
from app.core.triggers.instances import (
    end_instance,
    is_cancelled_since,
    is_known,
    open_instances,
    start_instance,
)


def take_start(moment: EventContext, trigger: Trigger, kind: Abandonment) -> None:
    """Open, or replace the anchor: a start older than the open anchor changes nothing.

    A later start ends what its key had open, also when its own ``when`` fails. The engine has
    made sure that the key is there.
    """
    key = key_of(moment.data, kind.key)
    assert key is not None
    restart(moment, trigger, key)


def restart(moment: EventContext, trigger: Trigger, key: str) -> None:
    """Let a newer start take the place of the open instance of its key."""
    customer, occurred_ms = moment.customer, moment.occurred_ms
    if is_cancelled_since(customer, trigger, key, occurred_ms):
        return
    for instance in open_instances(customer, trigger):
        if instance.key == key:
            if occurred_ms <= instance.anchor_ms:
                return
            end_instance(moment, instance, Reason.SUPERSEDED)
    if is_known(customer, trigger, key, occurred_ms):
        return
    if trigger.when is None or trigger.when(moment.data, customer, moment.now_ms):
        start_instance(moment, trigger, key)
