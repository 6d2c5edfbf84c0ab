"""A newer start takes the place of the open instance of its key."""

from app.core.context import EventContext
from app.core.decisions import Reason
from app.core.rules.model import Trigger
from app.core.triggers.instances import (
    end_instance,
    is_cancelled_since,
    is_known,
    open_instances,
    start_instance,
)


def restart(moment: EventContext, trigger: Trigger, key: str) -> None:
    """Open an instance of the key, and end the open one when its anchor is older."""
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
