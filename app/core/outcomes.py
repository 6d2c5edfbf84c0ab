"""What a send or ghost send led to (spec section 9): values, which the caller writes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from app.core.numbers import Number
from app.core.outcome_kind import Kind
from app.core.recorded import Cause

Role = Literal["direct", "assisted"]


@dataclass(slots=True, init=False)
class SendOutcome:
    """One thing that a customer did after one send: ``request_id``, ``kind`` and the id of the
    event that caused it tell it from all others.

    ``role`` is a conversion's; ``value``, ``margin`` and ``currency`` are those of the purchase,
    as its event had them. ``latency_ms`` is from the decision to ``occurred_ms``, event time.
    """

    request_id: str
    customer_id: str
    trigger: str
    step: int
    channel: str
    #: (name, variant)
    experiment: tuple[str, str] | None
    is_ghost: bool
    kind: Kind
    latency_ms: int
    occurred_ms: int
    cause: Cause
    #: those of the send's decision
    design: str | None
    segments: list[str]
    cluster: str | None
    role: Role | None
    value: Number | None
    margin: Number | None
    currency: str | None
    #: of an answered survey
    score: Number | None
    #: the customer that the send went to, when that one was merged into this one since
    merged_from: str | None

    def __init__(
        self,
        request_id: str,
        customer_id: str,
        trigger: str,
        step: int,
        channel: str,
        experiment: tuple[str, str] | None,
        is_ghost: bool,
        kind: Kind,
        latency_ms: int,
        occurred_ms: int,
        cause: Cause,
        design: str | None = None,
        segments: list[str] | None = None,
        cluster: str | None = None,
        role: Role | None = None,
        value: Number | None = None,
        margin: Number | None = None,
        currency: str | None = None,
        score: Number | None = None,
        merged_from: str | None = None,
    ) -> None:
        self.request_id = request_id
        self.customer_id = customer_id
        self.trigger = trigger
        self.step = step
        self.channel = channel
        self.experiment = experiment
        self.is_ghost = is_ghost
        self.kind = kind
        self.latency_ms = latency_ms
        self.occurred_ms = occurred_ms
        self.cause = cause
        self.design = design
        self.segments = [] if segments is None else segments
        self.cluster = cluster
        self.role = role
        self.value = value
        self.margin = margin
        self.currency = currency
        self.score = score
        self.merged_from = merged_from


EmitOutcome = Callable[[SendOutcome], None]


def ignore_outcome(_: SendOutcome) -> None:
    """Drops outcomes, for callers that want decisions only."""
