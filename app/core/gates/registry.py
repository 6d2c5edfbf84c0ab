"""The registry of gates: what each is called, can decide and reports.

Readers of decisions (explanations, contracts, metrics, reports, the demo) ask it, so that a gate is
declared here and nowhere else.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.core.decisions import Outcome, Reason


class Gate(StrEnum):
    """A check on the record of a decision, in the order in which the checks are made."""

    EXPIRED = "expired"
    CONDITION = "condition"
    FATIGUE = "fatigue"
    COOLDOWN = "cooldown"
    REACH = "reach"
    CONSENT = "consent"
    SUPPRESSED = "suppressed"
    CAP = "cap"
    QUIET = "quiet"
    WINDOW = "window"
    RATE = "rate"
    SEND_TIME = "send_time"
    HOLDOUT = "holdout"


class Form(StrEnum):
    """How a figure of a check is written."""

    #: as it is
    VALUE = "value"
    #: epoch ms, as an RFC 3339 time
    INSTANT = "instant"
    #: ms, as whole seconds; as seconds with a fraction
    SECONDS = "seconds"
    FINE_SECONDS = "fine_seconds"
    #: minute of the local day, as HH:MM
    LOCAL_TIME = "local_time"


@dataclass(frozen=True, slots=True)
class FigureSpec:
    """A figure of a check; None is left out, unless ``is_nullable``."""

    name: str
    form: Form = Form.VALUE
    is_nullable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSpec:
    """What a gate checks (``sentence``), why a step that it stopped did not go, in a few words for
    readers (``title``), the figures that its check may carry, in their order, and the outcomes of
    a step that it stops; none: the gate only reports.
    """

    sentence: str
    title: str
    figures: tuple[FigureSpec, ...]
    stops_with: tuple[Outcome, ...] = (Outcome.SUPPRESS,)

    @property
    def is_limit(self) -> bool:
        """Whether a step may wait for the gate to open, or be lost by it."""
        return self.stops_with == _WAITS


_LOCAL_TIME: Final = FigureSpec("local_time", Form.LOCAL_TIME)
_TIMEZONE: Final = FigureSpec("timezone")

_WAITS: Final = (Outcome.DEFER, Outcome.SUPPRESS)
#: A transactional step waits for the first profile update, and for nothing else.
_WAITS_ONCE: Final = (Outcome.SUPPRESS, Outcome.DEFER)

GATES: Final[dict[Gate, GateSpec]] = {
    Gate.EXPIRED: GateSpec(
        sentence="The step is decided no later than its due time plus the trigger's `expires`.",
        title="too late",
        figures=(),
    ),
    Gate.CONDITION: GateSpec(
        sentence="The conditions of the trigger and of the step hold, and one of several templates"
        " fits.",
        title="its condition does not hold",
        figures=(FigureSpec("of"), FigureSpec("template")),
    ),
    Gate.FATIGUE: GateSpec(
        sentence="Whether the customer opens too few messages, which makes cooldown and caps"
        " stricter.",
        title="opens few messages",
        figures=(FigureSpec("sends"), FigureSpec("opened"), FigureSpec("fatigued")),
        stops_with=(),
    ),
    Gate.COOLDOWN: GateSpec(
        sentence="No other instance has sent a message of the family during the cooldown.",
        title="a similar message was just sent",
        figures=(
            FigureSpec("family"),
            FigureSpec("cooldown_s", Form.SECONDS),
            FigureSpec("last_sent_at", Form.INSTANT),
        ),
    ),
    Gate.REACH: GateSpec(
        sentence="The profile has the address that the channel needs.",
        title="no address for the channel",
        figures=(FigureSpec("field"),),
        stops_with=_WAITS_ONCE,
    ),
    Gate.CONSENT: GateSpec(
        sentence="The customer agrees to the channel, or gave no answer and its default is yes.",
        title="no consent to the channel",
        figures=(FigureSpec("given", is_nullable=True),),
    ),
    Gate.SUPPRESSED: GateSpec(
        sentence="The customer has not unsubscribed or complained, and the address did not bounce.",
        title="unsubscribed, bounced or complained",
        figures=(FigureSpec("cause"),),
    ),
    Gate.CAP: GateSpec(
        sentence="Fewer sends than the limit are in the rolling window of the cap.",
        title="had as many messages as allowed",
        figures=(
            FigureSpec("count"),
            FigureSpec("limit"),
            FigureSpec("per_s", Form.SECONDS),
            FigureSpec("only"),
            FigureSpec("family"),
            FigureSpec("trigger"),
        ),
        stops_with=_WAITS,
    ),
    Gate.QUIET: GateSpec(
        sentence="The customer's local time is outside the quiet hours of the channel.",
        title="quiet hours",
        figures=(_LOCAL_TIME, _TIMEZONE),
        stops_with=_WAITS,
    ),
    Gate.WINDOW: GateSpec(
        sentence="The customer's local time is inside the delivery window of the step.",
        title="outside the delivery window",
        figures=(_LOCAL_TIME, _TIMEZONE),
        stops_with=_WAITS,
    ),
    Gate.RATE: GateSpec(
        sentence="A slot under the send rate of the channel is free, or is the one the step kept.",
        title="send rate used up",
        figures=(
            FigureSpec("next_slot_at", Form.INSTANT),
            FigureSpec("space_s", Form.FINE_SECONDS),
        ),
        stops_with=_WAITS,
    ),
    Gate.SEND_TIME: GateSpec(
        sentence="It is the local hour in which the customer reads most, or none is worth waiting"
        " for.",
        title="waits for the best hour",
        figures=(
            FigureSpec("opens"),
            FigureSpec("min_opens"),
            FigureSpec("best_hour"),
            _LOCAL_TIME,
            _TIMEZONE,
        ),
        stops_with=(Outcome.DEFER,),
    ),
    Gate.HOLDOUT: GateSpec(
        sentence="The customer is neither in a control group nor in a variant that gets nothing.",
        title="control group",
        figures=(
            FigureSpec("bucket"),
            FigureSpec("limit"),
            FigureSpec("trigger"),
            FigureSpec("experiment"),
            FigureSpec("variant"),
        ),
        stops_with=(Outcome.HOLDOUT,),
    ),
}

#: The gates for which steps wait, and which cost messages.
LIMITS: Final[frozenset[str]] = frozenset(gate for gate, spec in GATES.items() if spec.is_limit)

#: Reasons that no gate gives, in the words of readers.
_OTHER_TITLES: Final[dict[str, str]] = {
    Reason.PASSED: "every check passed",
    Reason.CANCELLED: "no longer needed",
    Reason.SUPERSEDED: "something newer took its place",
}


def title_of(reason: str) -> str:
    """The reason of a decision in the words of readers; one of a newer version stays as it is."""
    if reason in _OTHER_TITLES:
        return _OTHER_TITLES[reason]
    return GATES[Gate(reason)].title if reason in GATES else reason.replace("_", " ")


#: What steps can be decided, and why: a gate's reason has the gate's name.
POSSIBLE_REASONS: Final[dict[Outcome, tuple[Reason, ...]]] = {
    Outcome.SEND: (Reason.PASSED,),
    Outcome.HOLDOUT: (Reason.HOLDOUT,),
    Outcome.RECALL: (Reason.CANCELLED,),
    Outcome.DEFER: tuple(
        Reason(gate) for gate, spec in GATES.items() if Outcome.DEFER in spec.stops_with
    ),
    Outcome.SUPPRESS: (
        *(Reason(gate) for gate, spec in GATES.items() if Outcome.SUPPRESS in spec.stops_with),
        Reason.CANCELLED,
        Reason.SUPERSEDED,
    ),
}
