"""The trigger kinds: what opens, moves and ends their instances (spec section 5)."""

from collections.abc import Mapping
from typing import Any, Final

from app.core.rules.conditions import Facts
from app.core.rules.kind import Kind
from app.core.triggers.kinds.abandonment import Abandonment
from app.core.triggers.kinds.anniversary import Anniversary
from app.core.triggers.kinds.date import Date
from app.core.triggers.kinds.frequency import Frequency
from app.core.triggers.kinds.inactivity import Inactivity
from app.core.triggers.kinds.milestone import Milestone
from app.core.triggers.kinds.on_event import OnEvent

#: ``kind`` of a trigger in the rules file -> what it means.
KINDS: Final[Mapping[str, type[Kind]]] = {
    "event": OnEvent,
    "abandonment": Abandonment,
    "milestone": Milestone,
    "inactivity": Inactivity,
    "anniversary": Anniversary,
    "date": Date,
    "frequency": Frequency,
}


def compile_kind(body: Mapping[str, Any], facts: Facts) -> Kind:
    """The kind of one trigger of the document."""
    return KINDS[body["kind"]].compile(body, facts)
