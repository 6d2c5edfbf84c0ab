"""What the worker counts, metric by metric as ``specs.py`` lists them.

Everything is counted per commit unit, never per event; what can be looked up when Prometheus asks
is in ``app/live/telemetry/gauges.py``. What an alert waits for stands at 0 from the start:
Prometheus sees no increase from nothing to the first.
"""

from collections import Counter as Tally
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from app.core.customer.bound import PARTS
from app.core.customer.profile import CHANNEL_FIELDS
from app.core.decisions import Decision, Outcome, Reason
from app.core.events import INPUT_TOPICS
from app.core.gates.registry import POSSIBLE_REASONS
from app.core.rules.model import CATEGORIES, Rules
from app.live.commit.record_outcome import RecordOutcome
from app.live.commit.unit import CommitUnit
from app.live.telemetry import specs
from app.live.telemetry.outcome_metrics import OutcomeMetrics
from app.version import ENGINE_VERSION

#: How a transaction ends (app/live/commit/transactions.py).
TRANSACTION_OUTCOMES: Final = ("committed", "aborted", "fenced", "failed")


class Metrics:
    """Owns the worker's metrics and their registry. Used from the worker's main loop."""

    def __init__(
        self, registry: CollectorRegistry | None = None, *, by_trigger: bool = True
    ) -> None:
        """``by_trigger``: a series for each trigger; else one, whose trigger label is empty."""
        # one more series for every counter, and only the OpenMetrics format knows what it means
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = registry or CollectorRegistry()
        self._by_trigger = by_trigger
        self._triggers: set[str] = set()
        ProcessCollector(registry=registry)
        self._outcomes = OutcomeMetrics(registry, by_trigger=by_trigger)
        self._events = specs.EVENTS.counter(registry)
        self._decisions = specs.DECISIONS.counter(registry)
        self._dead_letters = specs.DEAD_LETTERS.counter(registry)
        self._duplicates = specs.DUPLICATES.counter(registry)
        self._stopped = specs.STARTS_STOPPED.counter(registry)
        self._skewed = specs.SKEWED.counter(registry)
        self._misrouted = specs.MISROUTED.counter(registry)
        self._timers = specs.TIMERS.counter(registry)
        self._resent = specs.RESENT.counter(registry)
        self.changelog_applied = specs.CHANGELOG_APPLIED.counter(registry)
        self.standby_lag = specs.STANDBY_LAG.gauge(registry)
        self.broker_errors = specs.BROKER_ERRORS.counter(registry)
        self.commit_errors = specs.COMMIT_ERRORS.counter(registry)
        self.input_lost = specs.INPUT_LOST.counter(registry)
        self.records_shed = specs.RECORDS_SHED.counter(registry)
        self._steps_evicted = specs.STEPS_EVICTED.counter(registry)
        self._unknown_channels = specs.UNKNOWN_CHANNELS.counter(registry)
        self._transactions = specs.TRANSACTIONS.counter(registry)
        self.clock_step = specs.CLOCK_STEP.gauge(registry)
        self.rules_reloads = specs.RULES_RELOADS.counter(registry)
        self.rules_refused = specs.RULES_REFUSED.counter(registry)
        self.rules_stale = specs.RULES_STALE.gauge(registry)
        self._shadow_decisions = specs.SHADOW_DECISIONS.counter(registry)
        self.shadow_errors = specs.SHADOW_ERRORS.counter(registry)
        self._lateness = specs.LATENESS.histogram(registry)
        self._lag = specs.LAG.histogram(registry)
        self._sizes = specs.UNIT_RECORDS.histogram(registry)
        self._durations = specs.UNIT_DURATION.histogram(registry)
        self._transaction_durations = specs.TRANSACTION_DURATION.histogram(registry)
        self._info = specs.BUILD_INFO.gauge(registry)
        self._begin()

    def _begin(self) -> None:
        """What does not depend on rules stands at 0."""
        for topic in INPUT_TOPICS:
            for record_outcome in RecordOutcome:
                self._events.labels(topic, record_outcome)
        for outcome in TRANSACTION_OUTCOMES:
            self._transactions.labels(outcome)
        for part in PARTS:
            self.records_shed.labels(part)
        for category in CATEGORIES:
            self._steps_evicted.labels(category)
        for field in CHANNEL_FIELDS:
            self._unknown_channels.labels(field)
        self._transaction_durations.begin(())

    def _label(self, trigger: str) -> str:
        return trigger if self._by_trigger else ""

    def use_rules(self, rules: Rules) -> None:
        """Which rules decide from now on.

        Whatever their triggers can decide stands at 0. No other trigger has a count of sends: so
        one that sends nothing differs from one that is gone.
        """
        self._info.clear()
        self._info.labels(ENGINE_VERSION, rules.version).set(1)
        triggers = set(map(self._label, rules.triggers))
        for trigger in self._triggers - triggers:
            self._decisions.remove(trigger, str(Outcome.SEND), str(Reason.PASSED))
        for trigger in triggers:
            self._lateness.begin((trigger,))
            for outcome, reasons in POSSIBLE_REASONS.items():
                for reason in reasons:
                    self._decisions.labels(trigger, str(outcome), str(reason))
        self._triggers = triggers
        self._outcomes.use_rules(rules)

    def unit_done(self, unit: CommitUnit, handling_s: float, effects_s: float) -> None:
        """Count a commit unit that is durable."""
        for (topic, outcome), count in unit.record_outcomes.items():
            self._events.labels(topic, outcome).inc(count)
            if outcome is RecordOutcome.DUPLICATE:
                self._duplicates.inc(count)
        for topic, lags_ms in unit.lags_ms.items():
            self._lag.observe((topic,), lags_ms, 1000.0)
        if unit.decisions:
            self._count_decisions(unit.decisions)
        if unit.by_timer:
            self._observe_lateness(unit.by_timer)
        self._outcomes.count(unit)
        for field, count in unit.unknown_channels.items():
            self._unknown_channels.labels(field).inc(count)
        for letter in unit.dead_letters:
            self._dead_letters.labels(letter.topic, letter.error.reason).inc()
        for misrouted in unit.misrouted:
            self._misrouted.labels(misrouted.topic).inc()
        for (trigger, reason), count in unit.stopped.items():
            self._stopped.labels(self._label(trigger), reason).inc(count)
        if unit.skewed:
            self._skewed.inc(unit.skewed)
        if unit.timers:
            self._timers.inc(unit.timers)
        if unit.resend:
            self._resent.inc(len(unit.resend))
        if unit.consumed:
            self._sizes.observe((), (sum(unit.consumed.values()),))
        self._durations.observe(("handling",), (handling_s,))
        self._durations.observe(("effects",), (effects_s,))

    def shadow_decided(self, trigger: str, verdict: str, count: int = 1) -> None:
        """Count steps that the live rules, the shadow's or both decided."""
        self._shadow_decisions.labels(self._label(trigger), verdict).inc(count)

    def transaction_done(self, outcome: str, duration_s: float) -> None:
        """Count a transaction: ``committed``, ``aborted``, ``fenced``, or ``failed``."""
        self._transactions.labels(outcome).inc()
        self._transaction_durations.observe((), (duration_s,))

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)

    def _count_decisions(self, decisions: list[Decision]) -> None:
        tally = Tally((self._label(each.trigger), each.outcome, each.reason) for each in decisions)
        for (trigger, outcome, reason), count in tally.items():
            self._decisions.labels(trigger, outcome, reason).inc(count)
        for each in decisions:
            if each.is_evicted:
                self._steps_evicted.labels(each.category).inc()

    def _observe_lateness(self, by_timer: list[Decision]) -> None:
        lateness: dict[str, list[int]] = {}
        for each in by_timer:
            if each.fires_ms is not None:
                late_ms = max(0, each.decided_ms - each.fires_ms)
                lateness.setdefault(self._label(each.trigger), []).append(late_ms)
        for trigger, values in lateness.items():
            self._lateness.observe((trigger,), values, 1000.0)
