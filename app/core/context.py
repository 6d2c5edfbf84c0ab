"""One event as it is handled, or one instant at which timers fire."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.core.customer.instance import Instance, PendingStep
from app.core.customer.limits import MAX_TEXT_CHARS
from app.core.customer.parts import Sent, StoppedStart
from app.core.customer.record import Customer
from app.core.decisions import Decision
from app.core.events import DATA_FIELDS, ITEMS, MONEY_FIELDS, Event, FieldType
from app.core.recorded import Cause
from app.core.rules.model import Rules, Trigger
from app.core.rules.rates import Rates
from app.core.rules.taxonomy import READERS, Fields

Emit = Callable[[Decision], None]
EmitStopped = Callable[[StoppedStart], None]


def ignore_stopped(_: StoppedStart) -> None:
    """Take no note of starts that opened nothing."""


@dataclass(slots=True, init=False)
class DecisionContext:
    """The customer that is decided about, the rules, and the engine's now."""

    rules: Rules
    customer: Customer
    now_ms: int
    emit: Emit
    rates: Rates
    #: whether marketing steps may be decided; else those that come up are parked
    is_current: bool
    #: collects the decisions on steps whose instances end, where these come before all others
    ended: list[Decision] | None

    def __init__(
        self,
        *,
        rules: Rules,
        customer: Customer,
        now_ms: int,
        emit: Emit,
        rates: Rates,
        is_current: bool = True,
        ended: list[Decision] | None = None,
    ) -> None:
        self.rules = rules
        self.customer = customer
        self.now_ms = now_ms
        self.emit = emit
        self.rates = rates
        self.is_current = is_current
        self.ended = ended


@dataclass(slots=True, init=False)
class EventContext(DecisionContext):
    """An event being handled: its time (never after now), its usable data, where it came from.

    ``immediate`` collects the steps that are decided with the event, ``recalled`` the sends that it
    takes back, ``converted`` those that it converts.
    """

    type: str
    occurred_ms: int
    data: dict[str, Any]
    event: Event
    immediate: list[tuple[Trigger, Instance, PendingStep]]
    emit_stopped: EmitStopped
    recalled: tuple[tuple[Trigger, Sent], ...]
    converted: tuple[Sent, ...]
    #: the send that an engagement event names, when a trigger could ask for it
    answered: Sent | None
    #: triggers whose watched profile field the event left as it was
    unchanged: tuple[str, ...]
    #: False for a purchase that had been cancelled before it was read: it counts nowhere
    is_counted: bool
    #: it cancelled a purchase that had been counted
    has_taken_back: bool

    def __init__(
        self,
        event: Event,
        data: dict[str, Any],
        customer: Customer,
        rules: Rules,
        now_ms: int,
        emit: Emit,
        rates: Rates,
        emit_stopped: EmitStopped,
        *,
        is_current: bool,
    ) -> None:
        """``customer`` is whom the event is about; one ahead of now happens now."""
        # not super(): of a class with slots, which dataclass makes anew, Python does not find it
        DecisionContext.__init__(
            self,
            rules=rules,
            customer=customer,
            now_ms=now_ms,
            emit=emit,
            rates=rates,
            is_current=is_current,
            ended=[],
        )
        self.type = event.type
        self.occurred_ms = event.occurred_ms if event.occurred_ms < now_ms else now_ms
        self.data = data
        self.event = event
        self.immediate = []
        self.emit_stopped = emit_stopped
        self.recalled = ()
        self.converted = ()
        self.answered = None
        self.unchanged = ()
        self.is_counted = True
        self.has_taken_back = False

    @property
    def cause(self) -> Cause:
        """Where the event was read."""
        event = self.event
        return Cause(event.topic, event.partition, event.offset, event.event_id, event.traceparent)


def usable_data(
    data: dict[str, Any], currency: str | None, declared: Fields | None = None
) -> dict[str, Any]:
    """The data fields that rules may see: known, of a value that is one (``items`` aside), not too
    long, money in the rules' currency. Those that are ``declared`` are as their type has them.
    """
    foreign = currency is not None and data.get("currency") not in (None, currency)
    if declared is not None:
        return _declared_data(data, declared, foreign=foreign)
    if not foreign:
        for field, value in data.items():
            if field not in DATA_FIELDS:
                break
            kind = type(value)
            if kind is str:
                if len(value) > MAX_TEXT_CHARS:
                    break
            elif kind is list or kind is dict:
                break
        else:
            return data
    return _built_in_data(data, foreign=foreign)


def _built_in_data(data: dict[str, Any], *, foreign: bool) -> dict[str, Any]:
    return {
        field: value
        for field, value in data.items()
        if field in DATA_FIELDS
        and not (type(value) is str and len(value) > MAX_TEXT_CHARS)
        and (field == ITEMS or not isinstance(value, list | dict))
        and not (foreign and field in MONEY_FIELDS)
    }


def _declared_data(data: dict[str, Any], declared: Fields, *, foreign: bool) -> dict[str, Any]:
    known = _built_in_data(data, foreign=foreign)
    for field, kind in declared.items():
        if field in data:
            value = None if foreign and kind is FieldType.MONEY else READERS[kind](data[field])
            if value is None:
                known.pop(field, None)
            else:
                known[field] = value
    return known
