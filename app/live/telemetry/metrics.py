"""What the worker counts. Names start with ``trigger_``; labels are rule names and bounded sets.

Everything is counted per commit unit, never per event; what can be looked up when Prometheus asks
is in ``app/live/telemetry/gauges.py``. What an alert waits for stands at 0 from the start:
Prometheus sees no increase from nothing to the first.
"""

from collections import Counter as Tally
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from app.core.decisions import Decision, Outcome, Reason
from app.core.events import INPUT_TOPICS
from app.core.gates.registry import POSSIBLE_REASONS
from app.core.rules.model import Rules
from app.live.commit.unit import CommitUnit
from app.live.telemetry.histogram import BatchHistogram
from app.live.telemetry.outcome_metrics import OutcomeMetrics
from app.version import ENGINE_VERSION

_LATENESS_S: Final = (0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400)
_LAG_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)
_DURATION_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
_RECORDS: Final = (1, 10, 50, 100, 250, 500, 1000, 2000, 5000)

#: What becomes of an input record (app/live/partition/processor.py).
EVENT_OUTCOMES: Final = (
    "applied",
    "dead",
    "duplicate",
    "erased",
    "misrouted",
    "skipped",
    "unknown",
)

#: How a transaction ends (app/live/commit/transactions.py).
TRANSACTION_OUTCOMES: Final = ("committed", "aborted", "fenced", "failed")


class Metrics:
    """The worker's metrics, in the registry given."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        # one more series for every counter, and only the OpenMetrics format knows what it means
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = registry or CollectorRegistry()
        ProcessCollector(registry=registry)
        self._events = Counter(
            "trigger_events",
            "Input records by what became of them.",
            ["topic", "outcome"],
            registry=registry,
        )
        for topic in INPUT_TOPICS:
            for outcome in EVENT_OUTCOMES:
                self._events.labels(topic, outcome)
        self._decisions = Counter(
            "trigger_decisions",
            "Decisions made.",
            ["trigger", "outcome", "reason"],
            registry=registry,
        )
        self._led_to = OutcomeMetrics(registry)
        self._dead_letters = Counter(
            "trigger_dead_letters",
            "Records that could not be understood.",
            ["topic", "reason"],
            registry=registry,
        )
        self._duplicates = Counter(
            "trigger_duplicates", "Events whose id the customer had before.", registry=registry
        )
        self._skewed = Counter(
            "trigger_skewed_events", "Events more than max_skew ahead of now.", registry=registry
        )
        self._misrouted = Counter(
            "trigger_misrouted_events",
            "Records sent on to their key's partition.",
            ["topic"],
            registry=registry,
        )
        self._timers = Counter("trigger_timers_fired", "Timers fired.", registry=registry)
        self._resent = Counter(
            "trigger_outboxes_resent", "Outboxes sent again after a recovery.", registry=registry
        )
        self.changelog_applied = Counter(
            "trigger_changelog_applied_records",
            "Changelog entries read back: to recover a partition, or to follow another's.",
            ["role"],
            registry=registry,
        )
        self.standby_lag = Gauge(
            "trigger_standby_lag_records",
            "Changelog entries that the copies of other workers' partitions here do not have yet.",
            registry=registry,
        )
        self.broker_errors = Counter(
            "trigger_broker_errors", "Errors that Kafka clients reported.", registry=registry
        )
        self.commit_errors = Counter(
            "trigger_commit_errors", "Offset commits that failed.", registry=registry
        )
        self._transactions = Counter(
            "trigger_transactions",
            "Transactions by how they ended.",
            ["outcome"],
            registry=registry,
        )
        for outcome in TRANSACTION_OUTCOMES:
            self._transactions.labels(outcome)
        self.clock_step = Gauge(
            "trigger_clock_step_seconds",
            "By how much the machine's clock was set and is not believed.",
            registry=registry,
        )
        self.rules_reloads = Counter(
            "trigger_rules_reloads", "Changed rules files taken into use.", registry=registry
        )
        self.rules_refused = Counter(
            "trigger_rules_refused", "Changed rules files that were wrong.", registry=registry
        )
        self.rules_stale = Gauge(
            "trigger_rules_stale",
            "1 while the rules file was refused and older rules decide.",
            registry=registry,
        )
        self.shadow_decisions = Counter(
            "trigger_shadow_decisions",
            "Steps decided by the live rules, the shadow's or both, by how they agree.",
            ["trigger", "verdict"],
            registry=registry,
        )
        self.shadow_errors = Counter(
            "trigger_shadow_errors", "Faults under the shadow's rules.", registry=registry
        )
        self._lateness = BatchHistogram(
            "trigger_timer_lateness_seconds",
            "How long after its time a timer's step was decided.",
            ["trigger"],
            _LATENESS_S,
        )
        self._lag = BatchHistogram(
            "trigger_event_lag_seconds", "Handled minus the record's timestamp.", ["topic"], _LAG_S
        )
        self._sizes = BatchHistogram(
            "trigger_batch_records", "Records in a commit unit.", [], _RECORDS
        )
        self._durations = BatchHistogram(
            "trigger_batch_duration_seconds",
            "A commit unit from its first record to its offsets.",
            ["phase"],
            _DURATION_S,
        )
        self._transaction_durations = BatchHistogram(
            "trigger_transaction_duration_seconds",
            "A transaction from its begin to its end.",
            [],
            _DURATION_S,
        )
        for histogram in (
            self._lateness,
            self._lag,
            self._sizes,
            self._durations,
            self._transaction_durations,
        ):
            registry.register(histogram)
        self._transaction_durations.begin(())
        self._triggers: set[str] = set()
        self._info = Gauge(
            "trigger_build_info",
            "1, with what runs as labels.",
            ["version", "rules_version"],
            registry=registry,
        )

    def use_rules(self, rules: Rules) -> None:
        """Which rules decide from now on.

        Whatever their triggers can decide stands at 0. No other trigger has a count of sends: so
        one that sends nothing can be told from one that is gone.
        """
        self._info.clear()
        self._info.labels(ENGINE_VERSION, rules.version).set(1)
        for trigger in self._triggers - rules.triggers.keys():
            self._decisions.remove(trigger, str(Outcome.SEND), str(Reason.PASSED))
        for trigger in rules.triggers:
            self._lateness.begin((trigger,))
            for outcome, reasons in POSSIBLE_REASONS.items():
                for reason in reasons:
                    self._decisions.labels(trigger, str(outcome), str(reason))
        self._triggers = set(rules.triggers)
        self._led_to.use_rules(rules)

    def unit_done(self, unit: CommitUnit, handling_s: float, effects_s: float) -> None:
        """Count a commit unit that is durable."""
        for (topic, outcome), count in unit.record_outcomes.items():
            self._events.labels(topic, outcome).inc(count)
            if outcome == "duplicate":
                self._duplicates.inc(count)
        for topic, lags_ms in unit.lags_ms.items():
            self._lag.observe((topic,), lags_ms, 1000.0)
        if unit.decisions:
            self._count_decisions(unit.decisions)
        if unit.by_timer:
            self._observe_lateness(unit.by_timer)
        self._led_to.count(unit)
        for letter in unit.dead_letters:
            self._dead_letters.labels(letter.topic, letter.error.reason).inc()
        for stray in unit.misrouted:
            self._misrouted.labels(stray.topic).inc()
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

    def transaction_done(self, outcome: str, duration_s: float) -> None:
        """Count a transaction: ``committed``, ``aborted``, ``fenced``, or ``failed``."""
        self._transactions.labels(outcome).inc()
        self._transaction_durations.observe((), (duration_s,))

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)

    def _count_decisions(self, decisions: list[Decision]) -> None:
        tally = Tally((each.trigger, each.outcome, each.reason) for each in decisions)
        for (trigger, outcome, reason), count in tally.items():
            self._decisions.labels(trigger, outcome, reason).inc(count)

    def _observe_lateness(self, by_timer: list[Decision]) -> None:
        lateness: dict[str, list[int]] = {}
        for each in by_timer:
            if each.fires_ms is not None:
                late_ms = max(0, each.decided_ms - each.fires_ms)
                lateness.setdefault(each.trigger, []).append(late_ms)
        for trigger, values in lateness.items():
            self._lateness.observe((trigger,), values, 1000.0)
