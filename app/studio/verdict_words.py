"""What became of a step, in a few words."""

from typing import Final

from app.core.decisions import Outcome
from app.core.gates.registry import title_of

OUTCOMES: Final[dict[str, str]] = {
    Outcome.SEND: "sent",
    Outcome.HOLDOUT: "held out",
    Outcome.SUPPRESS: "suppressed",
    Outcome.DEFER: "deferred",
    Outcome.RECALL: "recalled",
}
#: Outcomes that have one reason each.
_PLAIN: Final = frozenset({Outcome.SEND, Outcome.HOLDOUT, Outcome.RECALL})


def verdict_words(outcome: str, reason: str) -> str:
    """``sent``, ``deferred: quiet hours``; a word of a newer version stays as it is."""
    title = OUTCOMES.get(outcome, outcome)
    return title if outcome in _PLAIN else f"{title}: {title_of(reason)}"
