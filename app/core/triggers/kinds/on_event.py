"""On event: each event of a type opens an instance of its own."""

from app.core.context import EventContext
from app.core.rules.model import OnEvent, Trigger
from app.core.triggers.instances import open_instance


def take_event(moment: EventContext, trigger: Trigger, kind: OnEvent) -> None:
    """Open under the event's id."""
    open_instance(moment, trigger, moment.event.event_id)
