"""Abandonment: a start (of a cart, a checkout, a booking) that nothing ends in time."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from app.core.context import EventContext
from app.core.rules.conditions import Facts
from app.core.rules.document_values import types_of
from app.core.rules.keys import key_of
from app.core.rules.kind import Kind
from app.core.rules.model import Trigger
from app.core.triggers.restart import restart


class Abandonment(Kind, frozen=True, kw_only=True):
    """An instance for each key, anchored at the newest start."""

    is_repeating: ClassVar[bool] = True
    requires_key: ClassVar[bool] = True
    is_recoverable: ClassVar[bool] = True

    key: str

    @classmethod
    def compile(cls, body: Mapping[str, Any], facts: Facts) -> Self:
        return cls(types=types_of(body["start"]), key=body["key"])

    @property
    def key_field(self) -> str | None:
        return self.key

    def take_event(self, moment: EventContext, trigger: Trigger) -> None:
        """Open, or replace the anchor: a start older than the open anchor changes nothing.

        A later start ends what its key had open, also when its own ``when`` fails. The engine has
        made sure that the key is there.
        """
        key = key_of(moment.data, self.key)
        assert key is not None
        restart(moment, trigger, key)
