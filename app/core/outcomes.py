"""What a send or ghost send led to (spec section 9): values, which the caller writes."""

from collections.abc import Callable
from enum import StrEnum
from typing import Literal

import msgspec

from app.core.decisions import Cause


class Kind(StrEnum):
    """What the customer did. All but the last four: with the message itself."""

    DELIVERED = "delivered"
    OPENED = "opened"
    CLICKED = "clicked"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    SURVEYED = "surveyed"
    CONVERSION = "conversion"
    RECOVERY = "recovery"
    REVIEW = "review"
    SUPPORT = "support"


Role = Literal["direct", "assisted"]


class SendOutcome(msgspec.Struct, frozen=True):
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
    design: str | None = None
    segments: list[str] = []
    cluster: str | None = None
    role: Role | None = None
    value: float | int | None = None
    margin: float | int | None = None
    currency: str | None = None
    #: of an answered survey
    score: float | int | None = None
    #: the customer that the send went to, when that one was merged into this one since
    merged_from: str | None = None


EmitOutcome = Callable[[SendOutcome], None]


def ignore_outcome(_: SendOutcome) -> None:
    """Drops outcomes, for callers that want decisions only."""
