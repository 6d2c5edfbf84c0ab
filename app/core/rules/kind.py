"""What all trigger kinds have in common: the answers that the rest of the core asks a kind for.

Each kind is one module of ``app.core.triggers.kinds`` and one line of its registry. It says how the
rules file is compiled to it, which event types may open its instances, and what it does when an
event arrives, a step is due or an instance is cancelled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from app.core.customer.instance import Instance
from app.core.customer.record import Customer
from app.core.rules.conditions import Facts, Getter
from app.core.rules.keys import Key

if TYPE_CHECKING:
    from app.core.context import DecisionContext, EventContext
    from app.core.rules.model import Step, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """The opening rule of one trigger. Immutable; its methods change the customer's record only."""

    #: the event types that may open an instance
    types: tuple[str, ...] = ()
    #: the data fields by which an event names one instance; None: it can name all only
    key: Key | None = None
    #: a start within this time after a cancel of its key opens nothing
    settle_ms: int = 0

    #: an event of ``types`` without the key is a dead letter
    requires_key = False
    #: it opens by a counter, which a cancelled purchase can take back
    is_counted = False
    #: an open instance is moved by whatever else the customer does
    is_moved_by_activity = False
    #: its instances follow dates of the record: ``reschedule`` is called when one may have changed
    follows_dates = False
    #: a due time is the anchor plus the step's ``after``
    is_due_after_anchor = True
    #: the anchor of an instance is the time of an event, not a day of the calendar
    is_anchored_at_event = True
    #: a purchase that carries the key of an instance with a send recovers it
    is_recoverable = False

    @classmethod
    def compile(cls, body: Mapping[str, Any], facts: Facts) -> Self:
        """The kind of a trigger of the document, which the validation has accepted."""
        raise NotImplementedError(cls)

    @property
    def watched_field(self) -> Getter | None:
        """The profile field of which a change opens instances; None: changes do not matter."""
        return None

    @property
    def summed_field(self) -> str | None:
        """The data field of ``types`` whose sum has to be kept; None without one."""
        return None

    @property
    def local_minute(self) -> int | None:
        """The minute of the local day at which its steps are due; None: they follow the anchor."""
        return None

    @property
    def tells_personal_date(self) -> bool:
        """Whether the time of an instance gives a date of the profile away, as a birthday's."""
        return False

    def event_data(self, moment: "EventContext") -> dict[str, Any]:
        """What an instance that the event opens keeps as ``event.*``."""
        return moment.data

    def take_event(self, moment: "EventContext", trigger: "Trigger") -> None:
        """Open, move or end instances by an event of ``types``, or by activity."""

    def reschedule(self, moment: "EventContext", trigger: "Trigger") -> None:
        """A date of the record, or the zone that it is read in, may have changed."""

    @property
    def source_of_dates(self) -> str | None:
        """``profile`` or ``customer``, whose dates its instances follow; None: their own."""
        return None

    def is_scheduled(self, moment: "EventContext", trigger: "Trigger") -> bool:
        """Whether the instances are as the date and the zone, which did not change, have them."""
        return True

    def take_up(self, moment: "DecisionContext", trigger: "Trigger", instance: Instance) -> None:
        """A step of the instance came up: it was decided or deferred. Asked of kinds that are not
        anchored at an event.
        """

    def has_begun(self, customer: Customer, trigger: "Trigger", instance: Instance) -> bool:
        """Whether the instance is fixed: no change of the record says anew when it is."""
        return True

    def take_used_year(self, moment: "EventContext", trigger: "Trigger", used: int) -> None:
        """A customer who is merged into this one used up all years until then: what is open for
        one of them, and has not begun, goes.
        """

    def is_over(self, moment: "EventContext", key: str, anchor_ms: int) -> bool:
        """Whether a cancel event ends, or recalls, the instance of that key and anchor, given that
        it names it.
        """
        return anchor_ms <= moment.occurred_ms + self.settle_ms

    def due_ms(self, moment: "DecisionContext", step: "Step", instance: Instance) -> int | None:
        """When a step that counts from the anchor is due; None: the instance is without it."""
        return instance.anchor_ms + step.after_ms

    def may_enter(self, moment: "DecisionContext", trigger: "Trigger", instance: Instance) -> bool:
        """Asked when a step of the instance comes up; False: the instance has been taken away."""
        return True

    def take_cancelled(
        self, moment: "DecisionContext", trigger: "Trigger", instance: Instance
    ) -> None:
        """The instance was ended by a cancel event."""

    def take_merge(self, moment: "EventContext", trigger: "Trigger") -> None:
        """The record of another customer has been put into this one."""

    def take_back(self, moment: "EventContext", trigger: "Trigger") -> None:
        """A cancellation took back what a counter of ``types`` had counted."""

    def take_decided(
        self, moment: "DecisionContext", trigger: "Trigger", instance: Instance
    ) -> None:
        """A step of the instance got a verdict other than ``defer``; asked of kinds that are
        counted.
        """
