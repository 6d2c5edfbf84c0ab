"""What the core returns: values, which the caller applies (spec sections 6 and 7)."""

from dataclasses import dataclass
from typing import Final

from app.core.recorded import Cause, SendRequest
from app.core.verdicts import Outcome as Outcome
from app.core.verdicts import Reason as Reason

#: The members by names of their own: asking an enum for one costs a Python call.
SEND: Final = Outcome.SEND
SUPPRESS: Final = Outcome.SUPPRESS
DEFER: Final = Outcome.DEFER
HOLDOUT: Final = Outcome.HOLDOUT
REACH: Final = Reason.REACH
CAP: Final = Reason.CAP
QUIET: Final = Reason.QUIET
WINDOW: Final = Reason.WINDOW
RATE: Final = Reason.RATE

#: A figure that a gate used.
Figure = str | int | float | None
#: A gate's name, whether it passed, the channel that it was asked for or None, and then the figures
#: that it used, in the order of the registry of gates; those at the end may be left out. A plain
#: tuple, because several are made for each decision.
Check = tuple[Figure, ...]


@dataclass(slots=True, init=False)
class Decision:
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
    fires_ms: int | None
    next_eligible_ms: int | None
    gates: tuple[Check, ...]
    #: (name, variant)
    experiment: tuple[str, str] | None
    #: the experiment's plan, as a hash
    design: str | None
    #: names of the segments that the customer was in, sorted, and the model's cluster: as they
    #: held before this decision counted; on a recall as on its send
    segments: list[str]
    cluster: str | None
    dispatch: SendRequest | None
    #: the customer that the instance was opened for, when that one was merged into this one since
    merged_from: str | None
    #: for the metrics: its instance ended for want of room in the record
    is_evicted: bool

    def __init__(
        self,
        request_id: str,
        customer_id: str,
        trigger: str,
        key: str,
        step: int,
        category: str,
        priority: int,
        outcome: Outcome,
        reason: Reason,
        channel: str | None,
        template: str | None,
        anchor_ms: int,
        due_ms: int,
        decided_ms: int,
        expires_ms: int,
        cause: Cause,
        rules_version: str,
        fires_ms: int | None = None,
        next_eligible_ms: int | None = None,
        gates: tuple[Check, ...] = (),
        experiment: tuple[str, str] | None = None,
        design: str | None = None,
        segments: list[str] | None = None,
        cluster: str | None = None,
        dispatch: SendRequest | None = None,
        merged_from: str | None = None,
        is_evicted: bool = False,
    ) -> None:
        self.request_id = request_id
        self.customer_id = customer_id
        self.trigger = trigger
        self.key = key
        self.step = step
        self.category = category
        self.priority = priority
        self.outcome = outcome
        self.reason = reason
        self.channel = channel
        self.template = template
        self.anchor_ms = anchor_ms
        self.due_ms = due_ms
        self.decided_ms = decided_ms
        self.expires_ms = expires_ms
        self.cause = cause
        self.rules_version = rules_version
        self.fires_ms = fires_ms
        self.next_eligible_ms = next_eligible_ms
        self.gates = gates
        self.experiment = experiment
        self.design = design
        self.segments = [] if segments is None else segments
        self.cluster = cluster
        self.dispatch = dispatch
        self.merged_from = merged_from
        self.is_evicted = is_evicted
