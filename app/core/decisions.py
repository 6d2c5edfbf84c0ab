"""What the core returns: values, which the caller applies (spec sections 6 and 7)."""

from enum import StrEnum
from typing import Any, Final

import msgspec


class Outcome(StrEnum):
    """The verdict on one step."""

    SEND = "send"
    SUPPRESS = "suppress"
    DEFER = "defer"
    HOLDOUT = "holdout"
    RECALL = "recall"


#: The members by names of their own: asking an enum for one costs a Python call.
SEND: Final = Outcome.SEND
SUPPRESS: Final = Outcome.SUPPRESS
DEFER: Final = Outcome.DEFER
HOLDOUT: Final = Outcome.HOLDOUT


class Reason(StrEnum):
    """Why. The reason of a gate has its name (``app.core.gates.registry``)."""

    EXPIRED = "expired"
    CONDITION = "condition"
    COOLDOWN = "cooldown"
    REACH = "reach"
    CONSENT = "consent"
    SUPPRESSED = "suppressed"
    CAP = "cap"
    QUIET = "quiet"
    WINDOW = "window"
    RATE = "rate"
    PASSED = "passed"
    HOLDOUT = "holdout"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    SEND_TIME = "send_time"


class Cause(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The event that anchors an instance, by where it was read. Unknown places are null.

    ``traceparent`` is the trace context that the event carried, if any: it goes out again as a
    header of what is decided because of the event, however much later.
    """

    topic: str
    partition: int | None
    offset: int | None
    event_id: str
    traceparent: str | None = None


#: A figure that a gate used.
Figure = str | int | float | None
#: A gate's name, whether it passed, the channel that it was asked for or None, and then the figures
#: that it used, in the order of the registry of gates; those at the end may be left out. A plain
#: tuple, because several are made for each decision.
Check = tuple[Figure, ...]


class Decision(msgspec.Struct, gc=False):
    """The verdict on one step of one instance; ``dispatch`` is what it puts on that topic.

    Nobody changes one that was emitted.
    """

    request_id: str
    customer_id: str
    trigger: str
    key: str
    step: int
    category: str
    priority: int
    outcome: Outcome
    reason: Reason
    channel: str | None
    template: str | None
    anchor_ms: int
    due_ms: int
    decided_ms: int
    expires_ms: int
    cause: Cause
    rules_version: str
    #: what the step waited for: its due, or when it was eligible again; None for a recall
    fires_ms: int | None = None
    next_eligible_ms: int | None = None
    gates: tuple[Check, ...] = ()
    #: (name, variant)
    experiment: tuple[str, str] | None = None
    #: the experiment's plan, as a hash
    design: str | None = None
    #: names of the segments that the customer was in, sorted, and the model's cluster: as they
    #: held before this decision counted; on a recall as on its send
    segments: list[str] = []
    cluster: str | None = None
    dispatch: "SendRequest | None" = None
    #: the customer that the instance was opened for, when that one was merged into this one since
    merged_from: str | None = None
    #: for the metrics: its instance ended for want of room in the record
    is_evicted: bool = False


class SendRequest(msgspec.Struct, frozen=True, gc=False):
    """What goes onto ``dispatch`` beyond what the decision says itself: ``kind`` is ``send`` or
    ``recall``, ``address`` the profile field of the channel.
    """

    kind: str
    address: str | None
    locale: str | None
    tokens: dict[str, Any]
