"""The open instances of one customer."""

from typing import Any

from msgspec.structs import astuple

from app.core.customer.columns import StoredInstance
from app.core.customer.instance import Instance, read_instance
from app.core.time.instants import END_OF_TIME_MS


class OpenInstances:
    """In the order in which they opened; at most ``MAX_INSTANCES``.

    Those of a record that was read stay as they are stored until they are asked for: a customer may
    have hundreds, and an event is about one.
    """

    __slots__ = ("_slots", "_stored")

    def __init__(self, stored: list[StoredInstance]) -> None:
        #: each an Instance, or what a record that was read has of it
        self._slots: list[Any] = stored
        #: how many are as they are stored
        self._stored = len(stored)

    def replace(self, instances: list[Instance]) -> None:
        """Have these and no others."""
        self._slots = instances
        self._stored = 0

    def count(self) -> int:
        """How many there are."""
        return len(self._slots)

    def all(self) -> list[Instance]:
        """All of them: the list itself, which may be changed."""
        slots = self._slots
        if self._stored:
            for at, slot in enumerate(slots):
                if not isinstance(slot, Instance):
                    self._read(at, slot)
        return slots

    def of(self, trigger: str) -> list[Instance]:
        """Those of the trigger of that name, in the order of their keys and anchors."""
        found: list[Instance] = []
        if self._stored:
            for at, slot in enumerate(self._slots):
                if isinstance(slot, Instance):
                    if slot.trigger == trigger:
                        found.append(slot)
                elif slot.trigger == trigger:
                    found.append(self._read(at, slot))
        else:
            instance: Instance
            for instance in self._slots:
                if instance.trigger == trigger:
                    found.append(instance)
        if len(found) > 1:
            found.sort(key=_key_and_anchor)
        return found

    def with_timer_at(self, fire_ms: int) -> list[Instance]:
        """At least those that have a step whose timer fires at that time."""
        slots = self._slots
        if not self._stored:
            return slots
        found: list[Instance] = []
        for at, slot in enumerate(slots):
            if isinstance(slot, Instance):
                found.append(slot)
                continue
            for step in slot.steps:
                if step.fire_ms == fire_ms:
                    found.append(self._read(at, slot))
                    break
        return found

    def earliest_ms(self) -> int:
        """When the first of their timers fires; END_OF_TIME_MS without one."""
        earliest_ms = END_OF_TIME_MS
        instance: Instance
        if not self._stored:
            for instance in self._slots:
                for step in instance.steps:
                    if step.fire_ms < earliest_ms and not step.parked:
                        earliest_ms = step.fire_ms
            return earliest_ms
        for slot in self._slots:
            for either in slot.steps:
                fire_ms: int = either.fire_ms
                if fire_ms < earliest_ms and not either.parked:
                    earliest_ms = fire_ms
        return earliest_ms

    def pending(self) -> int:
        """How many of their steps are undecided."""
        pending = 0
        for slot in self._slots:
            pending += len(slot.steps)
        return pending

    def has_parked(self) -> bool:
        """Whether any of their steps waits for the partition to be current."""
        for slot in self._slots:
            for step in slot.steps:
                if step.parked:
                    return True
        return False

    def add(self, instance: Instance) -> None:
        """One more has opened."""
        self._slots.append(instance)

    def remove(self, instance: Instance) -> None:
        """It is open no more. Raises ValueError when it was not."""
        self._slots.remove(instance)

    def stored(self) -> list[Any]:
        """What the column ``State`` has of them."""
        return [slot.array() if isinstance(slot, Instance) else slot for slot in self._slots]

    def _read(self, at: int, stored: StoredInstance) -> Instance:
        instance = self._slots[at] = read_instance(astuple(stored))
        self._stored -= 1
        return instance


def _key_and_anchor(instance: Instance) -> tuple[str, int]:
    return instance.key, instance.anchor_ms
