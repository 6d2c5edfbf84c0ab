"""What all trigger kinds have in common: the answers that the rest of the core asks a kind for.

Each kind is one module of ``app.core.triggers.kinds`` and one line of its registry. It says how the
rules file is compiled to it, which event types may open its instances, and what it does when an
event arrives, a step is due or an instance is cancelled.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import msgspec

from app.core.customer.record import Instance
from app.core.rules.conditions import Facts

if TYPE_CHECKING:
    from app.core.context import DecisionContext, EventContext
    from app.core.rules.model import Trigger


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """The opening rule of one trigger. Immutable; its methods change the customer's record only."""

    #: the event types that may open an instance
    types: tuple[str, ...] = ()

    #: instances come again under the same key, so an anchor has to be remembered beside it
    is_repeating: ClassVar[bool] = False
    #: an event of ``types`` without the key is a dead letter
    requires_key: ClassVar[bool] = False
    #: it opens by a counter, which a cancelled purchase can take back
    is_counted: ClassVar[bool] = False
    #: an open instance is moved by whatever else the customer does
    is_moved_by_activity: ClassVar[bool] = False
    #: its instances follow dates of the record: ``reschedule`` is called when one may have changed
    follows_dates: ClassVar[bool] = False
    #: the anchor of an instance is the time of an event, not a day of the calendar
    is_anchored_at_event: ClassVar[bool] = True
    #: a purchase that carries the key of an instance with a send recovers it
    is_recoverable: ClassVar[bool] = False

    @classmethod
    def compile(cls, body: Mapping[str, Any], facts: Facts) -> Self:
        """The kind of a trigger of the document, which the validation has accepted."""
        raise NotImplementedError(cls)

    @property
    def key_field(self) -> str | None:
        """The data field by which an event names one instance; None: it can name all only."""
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

    def take_event(self, moment: "EventContext", trigger: "Trigger") -> None:
        """Open, move or end instances by an event of ``types``, or by activity."""

    def reschedule(self, moment: "EventContext", trigger: "Trigger") -> None:
        """A date of the record, or the zone that it is read in, may have changed."""

    def take_due(self, moment: "DecisionContext", trigger: "Trigger", instance: Instance) -> None:
        """A step of the instance is due and about to be decided."""

    def take_cancelled(
        self, moment: "DecisionContext", trigger: "Trigger", instance: Instance
    ) -> None:
        """The instance was ended by a cancel event."""

    def take_back(self, moment: "EventContext", trigger: "Trigger") -> None:
        """A cancellation took back what a counter of ``types`` had counted."""

    def take_decided(
        self, moment: "DecisionContext", trigger: "Trigger", instance: Instance
    ) -> None:
        """A step of the instance got a verdict other than ``defer``."""
