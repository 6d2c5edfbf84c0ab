"""Frequency: so many events of one key within a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from app.core.context import EventContext
from app.core.customer.limits import remember
from app.core.rules.conditions import Facts
from app.core.rules.document_values import types_of
from app.core.rules.keys import compile_key
from app.core.rules.kind import Kind
from app.core.rules.model import Trigger
from app.core.time.durations import parse_duration_ms
from app.core.time.instants import DAY_MS
from app.core.triggers.starts import open_instance

#: How late an event may come and still be counted with the ones before it.
LATENESS_MS: Final = DAY_MS
_KEYS_BETWEEN_CLEANINGS: Final = 8
_NOTHING: Final[dict[str, list[int]]] = {}
_NEVER: Final[list[int]] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency(Kind):
    """``times`` events of ``types`` with one key at t > the last one's time - ``within_ms``."""

    times: int
    within_ms: int

    @classmethod
    def compile(cls, body: Mapping[str, Any], facts: Facts) -> Self:
        return cls(
            types=types_of(body["on"]),
            key=compile_key(body["key"]) if "key" in body else None,
            times=body["times"],
            within_ms=parse_duration_ms(body["within"]),
        )

    def take_event(self, moment: EventContext, trigger: Trigger) -> None:
        """Count the event by its key; open and start again when it makes ``times``.

        What counts is at t > its time - ``within``, later events included. For that the newest
        ``times - 1`` others suffice, so no more are kept.
        """
        key = "" if self.key is None else self.key.of(moment.data)
        if key is None:
            return
        times_by_key = moment.customer.frequencies_ms
        by_key = times_by_key.get(trigger.name, _NOTHING)
        known = by_key.get(key, _NEVER)
        after_ms = moment.occurred_ms - self.within_ms
        count = 1
        for at_ms in known:
            count += at_ms > after_ms
        if count >= self.times:
            _forget(times_by_key, trigger.name, key)
            open_instance(moment, trigger, key)
            return
        newest = [*known, moment.occurred_ms]
        newest.sort()
        if len(newest) >= self.times:
            newest = newest[1 - self.times :]
        if len(by_key) % _KEYS_BETWEEN_CLEANINGS == 0:
            _forget_stale(by_key, after_ms - LATENESS_MS)
        remember(times_by_key, trigger.name, key, newest)


def _forget(times_by_key: dict[str, dict[str, list[int]]], trigger: str, key: str) -> None:
    by_key = times_by_key.get(trigger)
    if by_key is not None and by_key.pop(key, None) is not None and not by_key:
        del times_by_key[trigger]


def _forget_stale(by_key: dict[str, list[int]], before_ms: int) -> None:
    """Rid it of the keys that came first and are too old to be counted again."""
    while by_key:
        first = next(iter(by_key))
        if by_key[first][-1] >= before_ms:
            return
        del by_key[first]
