"""Counting decisions and outcomes while they are made: cheap for each, and never a list of them.

Memory follows what there is to tell apart (days, triggers, channels, reasons), the customers who
got a message, and the steps that are waiting; not the number of decisions.
"""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from app.core.attribution import ASSISTED
from app.core.customer.parts import StoppedStart
from app.core.decisions import Check, Decision, Outcome, Reason
from app.core.gates.registry import LIMITS, Gate
from app.core.outcomes import SendOutcome
from app.core.rules.model import Cap
from app.core.time.instants import DAY_MS, MINUTE_MS, SECOND_MS

#: (UTC day since 1970, trigger, channel, outcome, reason)
Kind = tuple[int, str, str | None, Outcome, Reason]
#: A cap by its window in seconds and the channel, family or trigger it is for; another limit by its
#: gate.
Limit = tuple[int, str | None] | str

#: Looked up once: these are compared for every decision.
_SUPPRESS: Final = Outcome.SUPPRESS
_DEFER: Final = Outcome.DEFER
_RECALL: Final = Outcome.RECALL
_CAP: Final = Gate.CAP.value


@dataclass(slots=True)
class LimitCost:
    """What one cap, or the quiet hours, did to steps. A step that two held up counts at both.

    ``held_up`` steps were deferred (``deferrals`` counts each time); of these ``sent_later`` went
    out and ``lost_later`` did not, the rest is still waiting. ``lost_at_once`` never waited,
    because it would have been too late. ``moved`` were sent on another channel instead.
    """

    held_up: int = 0
    deferrals: int = 0
    sent_later: int = 0
    lost_later: int = 0
    lost_at_once: int = 0
    moved: int = 0

    @property
    def waiting(self) -> int:
        """Held up, and nothing final has been decided."""
        return self.held_up - self.sent_later - self.lost_later

    def add(self, other: "LimitCost") -> None:
        """Count what the same limit did to steps of other customers."""
        self.held_up += other.held_up
        self.deferrals += other.deferrals
        self.sent_later += other.sent_later
        self.lost_later += other.lost_later
        self.lost_at_once += other.lost_at_once
        self.moved += other.moved


class Tally:
    """Takes decisions in the order made. ``counts`` has every one of them, by kind."""

    def __init__(self) -> None:
        self.counts: dict[Kind, int] = {}
        self.costs: dict[Limit, LimitCost] = {}
        #: customer -> messages that were sent and not recalled, and the marketing among them
        self.messages: dict[str, int] = {}
        self.marketing: dict[str, int] = {}
        #: customer -> marketing steps decided as holdout
        self.ghosts: dict[str, int] = {}
        #: minutes from due to sent, of steps that had been deferred -> how many
        self.delays_min: dict[int, int] = {}
        #: (experiment, variant) -> customer -> marketing steps that were sent or would have been
        self.arms: dict[tuple[str, str], dict[str, int]] = {}
        #: (trigger, is_ghost, kind of outcome, ``assisted`` for a conversion it did not get)
        self.led_to: Counter[tuple[str, bool, str]] = Counter()
        #: (trigger, currency) -> value of the conversions that sends got, exact in any order
        self.revenue: dict[tuple[str, str | None], Fraction] = {}
        #: (trigger, why) -> starts that opened nothing
        self.stopped: Counter[tuple[str, str]] = Counter()
        self._waiting: dict[str, frozenset[Limit]] = {}

    @property
    def outcomes(self) -> Counter[str]:
        """How many decisions, by outcome."""
        found: Counter[str] = Counter()
        for (_, _, _, outcome, _), count in self.counts.items():
            found[outcome.value] += count
        return found

    @property
    def kinds_led_to(self) -> Counter[str]:
        """How many outcomes, by kind."""
        found: Counter[str] = Counter()
        for (_, _, kind), count in self.led_to.items():
            found[kind] += count
        return found

    def take(self, decision: Decision) -> None:
        """Count one decision."""
        outcome = decision.outcome
        kind = (
            decision.decided_ms // DAY_MS,
            decision.trigger,
            decision.channel,
            outcome,
            decision.reason,
        )
        counts = self.counts
        counts[kind] = counts.get(kind, 0) + 1
        if outcome is _SUPPRESS:
            self._suppressed(decision)
        elif outcome is _DEFER:
            self._deferred(decision)
        else:
            change = -1 if outcome is _RECALL else 1
            if decision.dispatch is not None:
                messages, customer_id = self.messages, decision.customer_id
                messages[customer_id] = messages.get(customer_id, 0) + change
            if decision.category == "marketing":
                self._marketing(decision, change)

    def take_outcome(self, outcome: SendOutcome) -> None:
        """Count one thing that a send or ghost send led to."""
        name = ASSISTED if outcome.role == ASSISTED else outcome.kind.value
        self.led_to[outcome.trigger, outcome.is_ghost, name] += 1
        if outcome.role == "direct" and outcome.value is not None and not outcome.is_ghost:
            key = outcome.trigger, outcome.currency
            self.revenue[key] = self.revenue.get(key, 0) + Fraction(outcome.value)

    def take_stopped(self, start: StoppedStart) -> None:
        """Count a start that opened nothing."""
        self.stopped[start.trigger, start.reason] += 1

    def add(self, other: "Tally") -> None:
        """Count what ``other`` did, of other customers."""
        for kind, count in other.counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + count
        for limit, cost in other.costs.items():
            known = self._cost(limit)
            known.add(cost)
        self.messages |= other.messages
        self.marketing |= other.marketing
        self.ghosts |= other.ghosts
        for minutes, count in other.delays_min.items():
            self.delays_min[minutes] = self.delays_min.get(minutes, 0) + count
        for arm, customers in other.arms.items():
            self.arms.setdefault(arm, {}).update(customers)
        self.led_to += other.led_to
        self.stopped += other.stopped
        for key, value in other.revenue.items():
            self.revenue[key] = self.revenue.get(key, 0) + value
        self._waiting |= other._waiting

    def _marketing(self, decision: Decision, change: int) -> None:
        """A marketing step that was sent, held out or recalled."""
        customer_id = decision.customer_id
        counted = self.ghosts if decision.dispatch is None else self.marketing
        counted[customer_id] = counted.get(customer_id, 0) + change
        if decision.experiment is not None:
            arm = self.arms.setdefault(decision.experiment, {})
            arm[customer_id] = arm.get(customer_id, 0) + change
        if change < 0:
            return
        held_up_by = self._waiting.pop(decision.request_id, None)
        if held_up_by is not None:
            for limit in held_up_by:
                self.costs[limit].sent_later += 1
            minutes = (decision.decided_ms - decision.due_ms) // MINUTE_MS
            self.delays_min[minutes] = self.delays_min.get(minutes, 0) + 1
        else:
            for limit in failing_limits(decision.gates):
                self._cost(limit).moved += 1

    def _deferred(self, decision: Decision) -> None:
        limits = failing_limits(decision.gates) or {decision.reason.value}
        known = self._waiting.get(decision.request_id, frozenset())
        for limit in limits:
            cost = self._cost(limit)
            cost.deferrals += 1
            if limit not in known:
                cost.held_up += 1
        self._waiting[decision.request_id] = known | limits

    def _suppressed(self, decision: Decision) -> None:
        held_up_by = self._waiting.pop(decision.request_id, None)
        if held_up_by is not None:
            for limit in held_up_by:
                self.costs[limit].lost_later += 1
        elif decision.reason in LIMITS:
            for limit in failing_limits(decision.gates):
                self._cost(limit).lost_at_once += 1

    def _cost(self, limit: Limit) -> LimitCost:
        cost = self.costs.get(limit)
        if cost is None:
            cost = self.costs[limit] = LimitCost()
        return cost


def limit_of(cap: Cap) -> Limit:
    """How a cap of the rules is known here."""
    return cap.per_ms // 1000, cap.channel or cap.family or cap.trigger


def _cap_of(check: Check) -> Limit:
    per_ms, only, family, trigger = check[5:]
    assert isinstance(per_ms, int)
    scope = only or family or trigger
    assert scope is None or isinstance(scope, str)
    return per_ms // SECOND_MS, scope


def failing_limits(gates: tuple[Check, ...]) -> set[Limit]:
    """The caps that were full, and the other limits that failed, on any channel looked at."""
    found: set[Limit] = set()
    for check in gates:
        if not check[1] and check[0] in LIMITS:
            gate = str(check[0])
            found.add(_cap_of(check) if gate == _CAP else gate)
    return found
