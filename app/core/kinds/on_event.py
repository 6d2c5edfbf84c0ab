"""On event: each event of a type opens an instance of its own."""

from app.core.instances import open_instance
from app.core.moment import EventMoment
from app.core.rules import OnEvent, Trigger


def take_event(moment: EventMoment, trigger: Trigger, kind: OnEvent) -> None:
    """Open under the event's id."""
    open_instance(moment, trigger, moment.event.event_id)
