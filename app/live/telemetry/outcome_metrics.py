"""What messages achieve, as metrics: outcomes, money and list health.

Labels are names of the rules and fixed sets: trigger, channel, variant (empty outside of an
experiment), kind. Counted per commit unit.
"""

from collections import Counter as Tally
from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry

from app.core.attribution import ASSISTED
from app.core.decisions import Decision, Outcome
from app.core.outcome_kind import Kind
from app.core.outcomes import SendOutcome
from app.core.rules.model import Rules, Trigger
from app.live.commit.unit import LIST_HEALTH, CommitUnit
from app.live.telemetry import specs

_KINDS: Final = {Outcome.SEND: "send", Outcome.HOLDOUT: "ghost", Outcome.RECALL: "recall"}


class OutcomeMetrics:
    """The part of ``Metrics`` that is about what sends led to."""

    def __init__(self, registry: CollectorRegistry, *, by_trigger: bool = True) -> None:
        self._by_trigger = by_trigger
        self._messages = specs.MESSAGES.counter(registry)
        self._outcomes = specs.OUTCOMES.counter(registry)
        self._ghost_outcomes = specs.GHOST_OUTCOMES.counter(registry)
        self._revenue = specs.REVENUE.counter(registry)
        self._margin = specs.MARGIN.counter(registry)
        self._list_health = specs.LIST_HEALTH.counter(registry)
        self._currency: str | None = None

    def use_rules(self, rules: Rules) -> None:
        """Money is counted in the currency of these from now on.

        What their triggers can lead to stands at 0: Prometheus sees no increase from nothing to
        the first, and after a restart everything is first again.
        """
        self._currency = rules.currency
        for channel in ("", *rules.channels):
            for kind in LIST_HEALTH.values():
                self._list_health.labels(channel, kind)
        for trigger in rules.triggers.values():
            if trigger.is_marketing:
                self._begin(trigger)

    def _label(self, trigger: str) -> str:
        return trigger if self._by_trigger else ""

    def _begin(self, trigger: Trigger) -> None:
        label = self._label(trigger.name)
        variants = trigger.experiment.variants if trigger.experiment is not None else ()
        steps = {"": trigger.steps} | {variant.name: variant.steps for variant in variants}
        for variant, in_order in steps.items():
            for channel in {channel for step in in_order for channel in step.channels}:
                for kind in _KINDS.values():
                    self._messages.labels(label, channel, variant, kind)
                for outcome in (*Kind, ASSISTED):
                    self._outcomes.labels(label, channel, variant, str(outcome))
                self._revenue.labels(label, channel)
                for sign in ("gain", "loss"):
                    self._margin.labels(label, channel, sign)

    def count(self, unit: CommitUnit) -> None:
        """Count a unit that is durable."""
        if unit.decisions:
            self._count_messages(unit.decisions)
        if unit.outcomes:
            self._count_outcomes(unit.outcomes)
        for (channel, kind), count in unit.list_health.items():
            self._list_health.labels(channel, kind).inc(count)

    def _count_messages(self, decisions: Iterable[Decision]) -> None:
        tally = Tally(
            (self._label(each.trigger), each.channel, each.experiment, _KINDS[each.outcome])
            for each in decisions
            if each.category == "marketing" and each.outcome in _KINDS
        )
        for (trigger, channel, experiment, kind), count in tally.items():
            self._messages.labels(trigger, channel, _variant(experiment), kind).inc(count)

    def _count_outcomes(self, outcomes: Iterable[SendOutcome]) -> None:
        for each in outcomes:
            counter = self._ghost_outcomes if each.is_ghost else self._outcomes
            kind = ASSISTED if each.role == ASSISTED else each.kind.value
            trigger = self._label(each.trigger)
            counter.labels(trigger, each.channel, _variant(each.experiment), kind).inc()
            if each.role == "direct" and not each.is_ghost and each.currency == self._currency:
                self._count_money(each)

    def _count_money(self, outcome: SendOutcome) -> None:
        """A counter only rises: a value under zero is none, a margin under zero a loss."""
        trigger, channel = self._label(outcome.trigger), outcome.channel
        if outcome.value is not None and outcome.value > 0:
            self._revenue.labels(trigger, channel).inc(outcome.value)
        if outcome.margin:
            sign = "gain" if outcome.margin > 0 else "loss"
            self._margin.labels(trigger, channel, sign).inc(abs(outcome.margin))


def _variant(experiment: tuple[str, str] | None) -> str:
    return "" if experiment is None else experiment[1]
