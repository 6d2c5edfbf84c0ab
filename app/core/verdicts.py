"""The verdicts on steps, and why."""

from enum import StrEnum


class Outcome(StrEnum):
    """The verdict on one step."""

    SEND = "send"
    SUPPRESS = "suppress"
    DEFER = "defer"
    HOLDOUT = "holdout"
    RECALL = "recall"


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
