"""Two streams of decisions over one history, compared while they are made.

A step is known by its request id, which both rules give it when its anchor is the same. What is
kept is what differs: a step goes once both sides have decided it alike.
"""

from collections import Counter
from typing import Final

import msgspec

from app.core.decisions import Decision, Outcome

#: (outcome, reason) in words; the other side may not have decided the step.
Verdict = str
UNDECIDED: Final = "not decided"
OLD: Final = 0
NEW: Final = 1


class DecisionsDiff:
    """Takes the decisions of both sides. ``close`` when there are no more."""

    def __init__(self, shared: frozenset[str]) -> None:
        """``shared``: the triggers that both have. Steps of others are only counted."""
        self._shared = shared
        self._open: tuple[dict[str, tuple[str, Verdict]], ...] = ({}, {})
        #: by side: (trigger, outcome) -> how many
        self.outcomes: tuple[Counter[tuple[str, str]], ...] = (Counter(), Counter())
        #: (trigger, verdict under OLD, verdict under NEW) -> steps, where they differ
        self.verdicts: Counter[tuple[str, Verdict, Verdict]] = Counter()
        #: customer -> messages more (or less) under NEW; none that is 0
        self.messages: dict[str, int] = {}

    def take(self, side: int, decision: Decision) -> None:
        """One decision of OLD (0) or NEW (1)."""
        outcome = decision.outcome
        self.outcomes[side][decision.trigger, outcome.value] += 1
        if decision.dispatch is not None:
            sign = -1 if outcome is Outcome.RECALL else 1
            self._count_message(decision.customer_id, sign if side == NEW else -sign)
        if outcome is not Outcome.DEFER and outcome is not Outcome.RECALL:
            self._match(side, decision)

    def close(self) -> None:
        """Steps that one side has decided and the other has not differ."""
        for trigger, verdict in self._open[OLD].values():
            self.verdicts[trigger, verdict, UNDECIDED] += 1
        for trigger, verdict in self._open[NEW].values():
            self.verdicts[trigger, UNDECIDED, verdict] += 1
        for side in self._open:
            side.clear()

    @property
    def gaining(self) -> int:
        """Customers who get more messages under NEW."""
        return sum(1 for change in self.messages.values() if change > 0)

    @property
    def losing(self) -> int:
        """Customers who get fewer messages under NEW."""
        return sum(1 for change in self.messages.values() if change < 0)

    @property
    def is_empty(self) -> bool:
        """Whether both sides decided alike."""
        return not (self.verdicts or self.messages or self.outcomes[OLD] != self.outcomes[NEW])

    def _match(self, side: int, decision: Decision) -> None:
        trigger, verdict = decision.trigger, _verdict(decision)
        if trigger not in self._shared:
            sides = (verdict, UNDECIDED) if side == OLD else (UNDECIDED, verdict)
            self.verdicts[trigger, sides[OLD], sides[NEW]] += 1
            return
        other = self._open[1 - side].pop(decision.request_id, None)
        if other is None:
            self._open[side][decision.request_id] = trigger, verdict
        elif other[1] != verdict:
            before, after = (verdict, other[1]) if side == OLD else (other[1], verdict)
            self.verdicts[trigger, before, after] += 1

    def _count_message(self, customer_id: str, change: int) -> None:
        total = self.messages.get(customer_id, 0) + change
        if total:
            self.messages[customer_id] = total
        else:
            del self.messages[customer_id]


def _verdict(decision: Decision) -> Verdict:
    match decision.outcome:
        case Outcome.SEND:
            return f"send {decision.channel}"
        case Outcome.HOLDOUT:
            return f"holdout {decision.channel}"
    return f"{decision.outcome.value} {decision.reason.value}"


class SendsChange(msgspec.Struct, frozen=True):
    """Decisions of one trigger under OLD and under NEW."""

    trigger: str
    before: dict[str, int]
    after: dict[str, int]


def by_trigger(diff: DecisionsDiff) -> list[SendsChange]:
    """Every trigger that decided anything, under either."""
    names = sorted({trigger for side in diff.outcomes for trigger, _ in side})
    return [
        SendsChange(
            name, *({o.value: side[name, o.value] for o in Outcome} for side in diff.outcomes)
        )
        for name in names
    ]
