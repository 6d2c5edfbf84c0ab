"""Inactivity: no activity after an event of ``since``; any later shop or travel event moves it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from app.core.context import EventContext
from app.core.decisions import Reason
from app.core.rules.conditions import Facts
from app.core.rules.document_values import types_of
from app.core.rules.kind import Kind
from app.core.rules.model import Trigger
from app.core.triggers.instances import end_instance, move_instance
from app.core.triggers.starts import identity_of, is_known, remember_identity, restart

#: There is at most one open instance, so its key is empty.
KEY: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inactivity(Kind):
    """Silence after an event of ``types``."""

    is_moved_by_activity = True

    @classmethod
    def compile(cls, body: Mapping[str, Any], facts: Facts) -> Self:
        return cls(types=types_of(body["since"]))

    def take_event(self, moment: EventContext, trigger: Trigger) -> None:
        """A ``since`` event opens, or moves the anchor like a later start.

        Any other later event moves the anchor of an open instance; ``when`` is asked when due. One
        of which a step was decided ends: the customer came back.
        """
        customer, occurred_ms = moment.customer, moment.occurred_ms
        is_start = moment.type in self.types
        for instance in customer.open.of(trigger.name):
            if occurred_ms <= instance.anchor_ms:
                continue
            if is_start:
                if instance.decided:
                    end_instance(moment, instance, Reason.SUPERSEDED)
                continue
            identity = identity_of(KEY, occurred_ms)
            if instance.decided or is_known(customer, trigger, KEY, occurred_ms, identity):
                end_instance(moment, instance, Reason.SUPERSEDED)
            else:
                move_instance(moment, trigger, instance)
                remember_identity(customer, trigger.name, identity)
        if is_start:
            restart(moment, trigger, KEY)
