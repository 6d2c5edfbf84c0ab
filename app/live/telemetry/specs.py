"""Every metric of the engine's own in one table: what a worker serves and the reference lists.

Names start with ``trigger_``, counters end in ``_total``; units are seconds and bytes; labels are
names of the rules and bounded sets, never customers. A new metric is one row here.
"""

from typing import Final, Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily

from app.live.telemetry.histogram import BatchHistogram

_LATENESS_S: Final = (0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400)
_LAG_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)
_DURATION_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
_RECORDS: Final = (1, 10, 50, 100, 250, 500, 1000, 2000, 5000)


class MetricSpec(NamedTuple):
    """One row: the metric as it is served."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    help: str
    labels: tuple[str, ...] = ()
    #: upper bounds of a histogram's buckets
    bounds: tuple[float, ...] = ()

    def counter(self, registry: CollectorRegistry) -> Counter:
        """A counter of this row."""
        return Counter(self.name, self.help, self.labels, registry=registry)

    def gauge(self, registry: CollectorRegistry) -> Gauge:
        """A gauge of this row that is set when something happens."""
        return Gauge(self.name, self.help, self.labels, registry=registry)

    def histogram(self, registry: CollectorRegistry) -> BatchHistogram:
        """A histogram of this row."""
        found = BatchHistogram(self.name, self.help, self.labels, self.bounds)
        registry.register(found)
        return found

    def family(self) -> GaugeMetricFamily:
        """Samples of this row for one scrape."""
        return GaugeMetricFamily(self.name, self.help, labels=self.labels)

    def sample(self, value: float) -> GaugeMetricFamily:
        """The one sample of a row without labels."""
        return GaugeMetricFamily(self.name, self.help, value=value)


# counted per commit unit (metrics.py)
EVENTS: Final = MetricSpec(
    "counter",
    "trigger_events_total",
    "Input records by what became of them.",
    ("topic", "outcome"),
)
DECISIONS: Final = MetricSpec(
    "counter", "trigger_decisions_total", "Decisions made.", ("trigger", "outcome", "reason")
)
STARTS_STOPPED: Final = MetricSpec(
    "counter",
    "trigger_starts_stopped_total",
    "Events of a type that a trigger names which opened no instance of it.",
    ("trigger", "reason"),
)
DEAD_LETTERS: Final = MetricSpec(
    "counter",
    "trigger_dead_letters_total",
    "Records that could not be understood.",
    ("topic", "reason"),
)
DUPLICATES: Final = MetricSpec(
    "counter", "trigger_duplicates_total", "Events whose id the customer had before."
)
SKEWED: Final = MetricSpec(
    "counter", "trigger_skewed_events_total", "Events more than max_skew ahead of now."
)
MISROUTED: Final = MetricSpec(
    "counter",
    "trigger_misrouted_events_total",
    "Records sent on to their key's partition.",
    ("topic",),
)
TIMERS: Final = MetricSpec("counter", "trigger_timers_fired_total", "Timers fired.")
RESENT: Final = MetricSpec(
    "counter", "trigger_outboxes_resent_total", "Outboxes sent again after a recovery."
)
CHANGELOG_APPLIED: Final = MetricSpec(
    "counter",
    "trigger_changelog_applied_records_total",
    "Changelog entries read back: to recover a partition, or to follow another's.",
    ("role",),
)
STANDBY_LAG: Final = MetricSpec(
    "gauge",
    "trigger_standby_lag_records",
    "Changelog entries that the copies of other workers' partitions here do not have yet.",
)
BROKER_ERRORS: Final = MetricSpec(
    "counter", "trigger_broker_errors_total", "Errors that Kafka clients reported."
)
COMMIT_ERRORS: Final = MetricSpec(
    "counter", "trigger_commit_errors_total", "Offset commits that failed."
)
INPUT_LOST: Final = MetricSpec(
    "counter",
    "trigger_input_lost_records_total",
    "Input records that retention deleted before they were read.",
    ("topic",),
)
RECORDS_SHED: Final = MetricSpec(
    "counter",
    "trigger_records_shed_total",
    "How often a record that would have been too large lost parts of a kind.",
    ("part",),
)
STEPS_EVICTED: Final = MetricSpec(
    "counter",
    "trigger_evicted_steps_total",
    "Steps suppressed because the customer's record has no room for more open instances.",
    ("category",),
)
UNKNOWN_CHANNELS: Final = MetricSpec(
    "counter",
    "trigger_unknown_channels_total",
    "Entries of profile updates for channels that the rules do not have: left out.",
    ("field",),
)
TRANSACTIONS: Final = MetricSpec(
    "counter", "trigger_transactions_total", "Transactions by how they ended.", ("outcome",)
)
CLOCK_STEP: Final = MetricSpec(
    "gauge",
    "trigger_clock_step_seconds",
    "By how much the machine's clock was set and is not believed.",
)
RULES_RELOADS: Final = MetricSpec(
    "counter", "trigger_rules_reloads_total", "Changed rules files taken into use."
)
RULES_REFUSED: Final = MetricSpec(
    "counter", "trigger_rules_refused_total", "Changed rules files that were wrong."
)
RULES_STALE: Final = MetricSpec(
    "gauge", "trigger_rules_stale", "1 while the rules file was refused and older rules decide."
)
SHADOW_DECISIONS: Final = MetricSpec(
    "counter",
    "trigger_shadow_decisions_total",
    "Steps decided by the live rules, the shadow's or both, by how they agree.",
    ("trigger", "verdict"),
)
SHADOW_ERRORS: Final = MetricSpec(
    "counter", "trigger_shadow_errors_total", "Faults under the shadow's rules."
)
LATENESS: Final = MetricSpec(
    "histogram",
    "trigger_timer_lateness_seconds",
    "How long after its time a timer's step was decided.",
    ("trigger",),
    _LATENESS_S,
)
LAG: Final = MetricSpec(
    "histogram",
    "trigger_event_lag_seconds",
    "Handled minus the record's timestamp.",
    ("topic",),
    _LAG_S,
)
UNIT_RECORDS: Final = MetricSpec(
    "histogram", "trigger_batch_records", "Records in a commit unit.", (), _RECORDS
)
UNIT_DURATION: Final = MetricSpec(
    "histogram",
    "trigger_batch_duration_seconds",
    "A commit unit from its first record to its offsets.",
    ("phase",),
    _DURATION_S,
)
TRANSACTION_DURATION: Final = MetricSpec(
    "histogram",
    "trigger_transaction_duration_seconds",
    "A transaction from its begin to its end.",
    (),
    _DURATION_S,
)
BUILD_INFO: Final = MetricSpec(
    "gauge", "trigger_build_info", "1, with what runs as labels.", ("version", "rules_version")
)

# what sends led to (outcome_metrics.py)
_SEND: Final = ("trigger", "channel", "variant", "kind")
MESSAGES: Final = MetricSpec(
    "counter",
    "trigger_marketing_messages_total",
    "Marketing steps: send, ghost or recall.",
    _SEND,
)
OUTCOMES: Final = MetricSpec(
    "counter",
    "trigger_outcomes_total",
    "What marketing sends led to; kind `assisted` is a conversion that another send got.",
    _SEND,
)
GHOST_OUTCOMES: Final = MetricSpec(
    "counter", "trigger_ghost_outcomes_total", "The same of ghost sends.", _SEND
)
REVENUE: Final = MetricSpec(
    "counter",
    "trigger_revenue_total",
    "Value of conversions that sends got, in the rules' currency.",
    ("trigger", "channel"),
)
MARGIN: Final = MetricSpec(
    "counter",
    "trigger_margin_total",
    "Margin of conversions that sends got, in the rules' currency: gains and losses apart.",
    ("trigger", "channel", "sign"),
)
LIST_HEALTH: Final = MetricSpec(
    "counter",
    "trigger_list_health_total",
    "Unsubscriptions, complaints and bounces; the channel is empty where none is named.",
    ("channel", "kind"),
)

# looked up at each scrape (gauges.py)
READY: Final = MetricSpec("gauge", "trigger_ready", "1 while the worker is ready.")
RECOVERY: Final = MetricSpec(
    "gauge",
    "trigger_recovery_seconds",
    "How long state is being rebuilt from the changelog, 0 when it is not.",
)
LAST_RECOVERY: Final = MetricSpec(
    "gauge",
    "trigger_last_recovery_seconds",
    "How long the last finished rebuilding of state took.",
)
RECOVERY_REMAINING: Final = MetricSpec(
    "gauge",
    "trigger_recovery_remaining_records",
    "Changelog records that the rebuilding of state has to read yet.",
)
BUFFERED: Final = MetricSpec(
    "gauge", "trigger_buffered_records", "Records fetched and not handled."
)
CUSTOMERS: Final = MetricSpec(
    "gauge", "trigger_customers", "Customers with a record.", ("partition",)
)
TIMERS_PENDING: Final = MetricSpec(
    "gauge", "trigger_timers_pending", "Steps that wait for their time.", ("partition",)
)
STATE_BYTES: Final = MetricSpec(
    "gauge",
    "trigger_state_bytes",
    "Files of a partition's database, its newest writes not counted.",
    ("partition",),
)
WATERMARK_AGE: Final = MetricSpec(
    "gauge",
    "trigger_watermark_age_seconds",
    "Now minus the watermark; while there is none, since the partition was assigned.",
    ("partition",),
)
CURRENT: Final = MetricSpec(
    "gauge",
    "trigger_partition_current",
    "1 while the input was read up to its end a moment ago; else marketing steps wait.",
    ("partition",),
)
CONSUMER_LAG: Final = MetricSpec(
    "gauge",
    "trigger_consumer_lag_records",
    "Records on the broker that are not handled, by its last answer.",
    ("topic", "partition"),
)
DISK_SIZE: Final = MetricSpec(
    "gauge", "trigger_disk_size_bytes", "Size of the volume that the state is on."
)
DISK_FREE: Final = MetricSpec(
    "gauge", "trigger_disk_free_bytes", "What is free on the volume that the state is on."
)

#: The whole table, in the order above.
SPECS: Final = tuple(row for row in list(globals().values()) if isinstance(row, MetricSpec))
