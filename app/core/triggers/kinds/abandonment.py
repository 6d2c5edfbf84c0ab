"""Abandonment: a start (of a cart, a checkout, a booking) that nothing ends in time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from app.core.context import EventContext
from app.core.rules.conditions import Facts
from app.core.rules.document_values import types_of
from app.core.rules.keys import compile_key
from app.core.rules.kind import Kind
from app.core.rules.model import Trigger
from app.core.time.durations import parse_duration_ms
from app.core.time.instants import MINUTE_MS
from app.core.triggers.starts import restart

#: ``settle`` when the rules do not say it: webhooks of one order come in any order.
SETTLE_MS: Final = 2 * MINUTE_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandonment(Kind):
    """An instance for each key, anchored at the newest start."""

    requires_key = True
    is_recoverable = True

    @classmethod
    def compile(cls, body: Mapping[str, Any], facts: Facts) -> Self:
        return cls(
            types=types_of(body["start"]),
            key=compile_key(body["key"]),
            settle_ms=parse_duration_ms(body["settle"]) if "settle" in body else SETTLE_MS,
        )

    def take_event(self, moment: EventContext, trigger: Trigger) -> None:
        """Open, or replace the anchor: a start older than the open anchor changes nothing.

        A later start ends what its key had open, also when its own ``when`` fails. The engine has
        made sure that the key is there.
        """
        key = None if self.key is None else self.key.of(moment.data)
        assert key is not None
        restart(moment, trigger, key)
