"""On event: each event of a type opens an instance of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from app.core.context import EventContext
from app.core.rules.conditions import Facts
from app.core.rules.document_values import types_of
from app.core.rules.kind import Kind
from app.core.rules.model import Trigger
from app.core.triggers.starts import open_instance


@dataclass(frozen=True, slots=True, kw_only=True)
class OnEvent(Kind):
    """Each event of a type in ``types`` opens an instance, its key the event's id."""

    @classmethod
    def compile(cls, body: Mapping[str, Any], facts: Facts) -> Self:
        return cls(types=types_of(body["on"]))

    def take_event(self, moment: EventContext, trigger: Trigger) -> None:
        open_instance(moment, trigger, moment.event.event_id)
