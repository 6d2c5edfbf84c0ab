"""Instances of triggers in a customer's record, and their steps that are not yet decided."""

from dataclasses import dataclass
from typing import Any

from msgspec import Raw
from msgspec.structs import astuple

from app.core.customer.column_codec import read_cause, read_data
from app.core.recorded import Cause


@dataclass(slots=True, init=False, eq=False)
class PendingStep:
    """A step not yet finally decided, and when its timer fires.

    That is its due time or, deferred, its next eligible time; under arbitration the end of the
    bucket that this falls in.
    """

    step: int
    due_ms: int
    fire_ms: int
    deferred: bool
    #: came up while the partition was not current: decided when it is
    parked: bool
    #: channel and instant of the slot of the send rate that the step waits for
    slot: tuple[str, int] | None
    #: it has waited, or waits, for the customer's first profile update
    was_patient: bool
    #: it counts from what an earlier step leads to, which has not come yet; ``due_ms`` and
    #: ``fire_ms`` are then when it goes undecided
    awaits: bool

    def __init__(
        self,
        step: int,
        due_ms: int,
        fire_ms: int,
        deferred: bool = False,
        parked: bool = False,
        slot: tuple[str, int] | None = None,
        was_patient: bool = False,
        awaits: bool = False,
    ) -> None:
        self.step = step
        self.due_ms = due_ms
        self.fire_ms = fire_ms
        self.deferred = deferred
        self.parked = parked
        self.slot = slot
        self.was_patient = was_patient
        self.awaits = awaits

    @property
    def waits(self) -> bool:
        """Whether it came up and got no final verdict yet."""
        return self.deferred or self.parked

    def array(self) -> tuple[Any, ...]:
        """Its fields, in the order that records have them in."""
        return (
            self.step,
            self.due_ms,
            self.fire_ms,
            self.deferred,
            self.parked,
            self.slot,
            self.was_patient,
            self.awaits,
        )


@dataclass(slots=True, init=False, eq=False)
class Instance:
    """One run of a trigger for one key, in the record while any of its steps is undecided."""

    trigger: str
    key: str
    anchor_ms: int
    #: what its properties say, or what a record that was read has of them: ``msgspec.Raw``
    _data: Any
    _cause: Any
    steps: list[PendingStep]
    #: the anchoring event was a ``delivered``
    is_delivery: bool
    #: bit n: step n has a verdict other than ``defer``; it was sent (or ghost sent), not recalled
    decided: int
    sent: int
    #: by step, what its send led to (``app.core.triggers.journey``); as long as needed
    step_marks: list[int]
    #: length of ``data`` as msgpack, bytes
    size: int
    #: the customer that it was opened for, when that one was merged into this one since
    opened_by: str | None
    #: the experiment with an audience that the customer was in when the instance opened
    audience: str | None

    def __init__(
        self,
        trigger: str,
        key: str,
        anchor_ms: int,
        data: dict[str, Any] | Raw,
        cause: Cause | Raw,
        steps: list[PendingStep],
        is_delivery: bool = False,
        decided: int = 0,
        sent: int = 0,
        step_marks: list[int] | None = None,
        size: int = 0,
        opened_by: str | None = None,
        audience: str | None = None,
    ) -> None:
        self.trigger = trigger
        self.key = key
        self.anchor_ms = anchor_ms
        self._data = data
        self._cause = cause
        self.steps = steps
        self.is_delivery = is_delivery
        self.decided = decided
        self.sent = sent
        self.step_marks = [] if step_marks is None else step_marks
        self.size = size
        self.opened_by = opened_by
        self.audience = audience

    @property
    def data(self) -> dict[str, Any]:
        """What it keeps of its anchoring event. Raises InfrastructureError."""
        if type(self._data) is Raw:
            self._data = read_data(self._data)
        data: dict[str, Any] = self._data
        return data

    @data.setter
    def data(self, data: dict[str, Any]) -> None:
        self._data = data

    @property
    def cause(self) -> Cause:
        """Its anchoring event. Raises InfrastructureError."""
        if type(self._cause) is Raw:
            self._cause = read_cause(self._cause)
        cause: Cause = self._cause
        return cause

    @cause.setter
    def cause(self, cause: Cause) -> None:
        self._cause = cause

    @property
    def waits(self) -> bool:
        """Whether a step came up and got no final verdict yet."""
        return any(pending.waits for pending in self.steps)

    def array(self) -> tuple[Any, ...]:
        """Its fields, in the order that records have them in."""
        return (
            self.trigger,
            self.key,
            self.anchor_ms,
            self._data,
            self._cause,
            [pending.array() for pending in self.steps],
            self.is_delivery,
            self.decided,
            self.sent,
            self.step_marks,
            self.size,
            self.opened_by,
            self.audience,
        )


def read_instance(values: tuple[Any, ...]) -> Instance:
    """The instance of the fields that a record has of it (``StoredInstance``)."""
    (
        trigger,
        key,
        anchor_ms,
        data,
        cause,
        stored,
        is_delivery,
        decided,
        sent,
        marks,
        size,
        opened_by,
        audience,
    ) = values
    # one by one: with * compiled code would call these as it calls what it does not know
    steps = []
    for each in stored:
        step, due_ms, fire_ms, deferred, parked, slot, was_patient, awaits = astuple(each)
        steps.append(
            PendingStep(step, due_ms, fire_ms, deferred, parked, slot, was_patient, awaits)
        )
    return Instance(
        trigger,
        key,
        anchor_ms,
        data,
        cause,
        steps,
        is_delivery,
        decided,
        sent,
        marks,
        size,
        opened_by,
        audience,
    )
