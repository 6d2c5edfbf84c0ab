"""What the worker measures. Names start with ``trigger_``; labels are rule names and bounded sets.

Everything is counted per commit unit, never per event.
"""

from collections import Counter as Tally
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from app.core.decisions import Decision
from app.histogram import BatchHistogram
from app.unit import Unit
from app.version import ENGINE_VERSION

_LATENESS_S: Final = (0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400)
_LAG_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)
_DURATION_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
_RECORDS: Final = (1, 10, 50, 100, 250, 500, 1000, 2000, 5000)


class Metrics:
    """The worker's metrics, in the registry given."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()
        self._events = Counter(
            "trigger_events", "Input records by what became of them.", ["topic", "outcome"],
            registry=registry,
        )  # fmt: skip
        self._decisions = Counter(
            "trigger_decisions", "Decisions made.", ["trigger", "outcome", "reason"],
            registry=registry,
        )  # fmt: skip
        self._dead_letters = Counter(
            "trigger_dead_letters", "Records that could not be understood.", ["topic", "reason"],
            registry=registry,
        )  # fmt: skip
        self._duplicates = Counter(
            "trigger_duplicates", "Events whose id the customer had before.", registry=registry
        )
        self._skewed = Counter(
            "trigger_skewed_events", "Events more than max_skew ahead of now.", registry=registry
        )
        self._misrouted = Counter(
            "trigger_misrouted_events", "Records sent on to their key's partition.", ["topic"],
            registry=registry,
        )  # fmt: skip
        self._timers = Counter("trigger_timers_fired", "Timers fired.", registry=registry)
        self._resent = Counter(
            "trigger_outboxes_resent", "Outboxes sent again after a recovery.", registry=registry
        )
        self.changelog_applied = Counter(
            "trigger_changelog_applied_records",
            "Changelog entries read back: to recover a partition, or to follow another's.",
            ["role"], registry=registry,
        )  # fmt: skip
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
            "trigger_transactions", "Transactions by how they ended.", ["outcome"],
            registry=registry,
        )  # fmt: skip
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
        self._watermark_age = Gauge(
            "trigger_watermark_age_seconds", "Now minus the watermark.", ["partition"],
            registry=registry,
        )  # fmt: skip
        self._customers = Gauge(
            "trigger_customers", "Customers with a record.", ["partition"], registry=registry
        )
        self._pending = Gauge(
            "trigger_timers_pending", "Steps that wait for their time.", ["partition"],
            registry=registry,
        )  # fmt: skip
        self._waiting = Gauge(
            "trigger_buffered_records", "Records fetched and not handled.", registry=registry
        )
        self._lateness = BatchHistogram(
            "trigger_timer_lateness_seconds", "Decided minus due.", ["trigger"], _LATENESS_S
        )
        self._lag = BatchHistogram(
            "trigger_event_lag_seconds", "Handled minus the record's timestamp.", ["topic"], _LAG_S
        )
        self._sizes = BatchHistogram(
            "trigger_batch_records", "Records in a commit unit.", [], _RECORDS
        )
        self._durations = BatchHistogram(
            "trigger_batch_duration_seconds", "A commit unit from its first record to its offsets.",
            ["phase"], _DURATION_S,
        )  # fmt: skip
        self._transaction_durations = BatchHistogram(
            "trigger_transaction_duration_seconds", "A transaction from its begin to its end.", [],
            _DURATION_S,
        )  # fmt: skip
        for histogram in (
            self._lateness, self._lag, self._sizes, self._durations, self._transaction_durations,
        ):  # fmt: skip
            registry.register(histogram)
        self._info = Gauge(
            "trigger_build_info", "1, with what runs as labels.", ["version", "rules_version"],
            registry=registry,
        )  # fmt: skip

    def set_rules_version(self, rules_version: str) -> None:
        """Which rules decide from now on."""
        self._info.clear()
        self._info.labels(ENGINE_VERSION, rules_version).set(1)

    def unit_done(self, unit: Unit, handling_s: float, effects_s: float) -> None:
        """Count a commit unit that is durable."""
        for (topic, outcome), count in unit.outcomes.items():
            self._events.labels(topic, outcome).inc(count)
            if outcome == "duplicate":
                self._duplicates.inc(count)
        for topic, lags_ms in unit.lags_ms.items():
            self._lag.observe((topic,), lags_ms, 1000.0)
        if unit.decisions:
            self._count_decisions(unit.decisions)
        for letter in unit.dead_letters:
            self._dead_letters.labels(letter.topic, letter.error.reason).inc()
        for stray in unit.strays:
            self._misrouted.labels(stray.topic).inc()
        if unit.skewed:
            self._skewed.inc(unit.skewed)
        if unit.timers:
            self._timers.inc(unit.timers)
        if unit.resend:
            self._resent.inc(len(unit.resend))
        if unit.taken:
            self._sizes.observe((), (sum(unit.taken.values()),))
        self._durations.observe(("handling",), (handling_s,))
        self._durations.observe(("effects",), (effects_s,))

    def transaction_done(self, outcome: str, duration_s: float) -> None:
        """Count a transaction: ``committed``, ``aborted``, ``fenced``, or ``failed``."""
        self._transactions.labels(outcome).inc()
        self._transaction_durations.observe((), (duration_s,))

    def partition_state(
        self, partition: int, customers: int, pending: int, watermark_age_s: float | None
    ) -> None:
        """How one partition stands; the age is None while there is no watermark."""
        label = str(partition)
        self._customers.labels(label).set(customers)
        self._pending.labels(label).set(pending)
        if watermark_age_s is not None:
            self._watermark_age.labels(label).set(watermark_age_s)

    def partition_gone(self, partition: int) -> None:
        """Another worker has it, or nobody."""
        for gauge in (self._customers, self._pending, self._watermark_age):
            if (str(partition),) in gauge._metrics:
                gauge.remove(str(partition))

    def buffered(self, records: int) -> None:
        """How many records wait."""
        self._waiting.set(records)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)

    def _count_decisions(self, decisions: list[Decision]) -> None:
        tally = Tally((each.trigger, each.outcome, each.reason) for each in decisions)
        for (trigger, outcome, reason), count in tally.items():
            self._decisions.labels(trigger, outcome, reason).inc(count)
        lateness: dict[str, list[int]] = {}
        for each in decisions:
            lateness.setdefault(each.trigger, []).append(max(0, each.decided_ms - each.due_ms))
        for trigger, values in lateness.items():
            self._lateness.observe((trigger,), values, 1000.0)
