"""For who runs it: is it up, does it keep up, is it in time, what does it cost."""

from typing import Final

from deploy.dashboards.panels import Json, dashboard, graph, number, query, row, variable

_LATE: Final = "job:trigger_timers_late:ratio_rate"
_UNIT: Final = "trigger_batch_duration_seconds_bucket"
_LOST: Final = 'outcome!="applied"'


def of(metric: str, more: str = "") -> str:
    """PromQL: a metric of the installation that was chosen."""
    return f'{metric}{{job=~"$job"{more and ", "}{more}}}'


def summed(metric: str, by: str = "") -> str:
    """PromQL: a gauge's sum."""
    return f"sum{_by(by)} ({of(metric)})"


def rate(metric: str, by: str = "", more: str = "", function: str = "rate") -> str:
    """PromQL: a counter's rate, or with ``function="increase"`` its growth, summed."""
    return f"sum{_by(by)} ({function}({of(metric, more)}[$__rate_interval]))"


def quantiles(histogram: str) -> tuple[Json, Json]:
    """Queries: what half and what 99 % of a histogram's observations do not exceed."""
    buckets = rate(f"{histogram}_bucket", "le")
    return (
        query(f"histogram_quantile(0.5, {buckets})", "half"),
        query(f"histogram_quantile(0.99, {buckets})", "99 %"),
    )


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""


NOW: Final[list[Json]] = [
    row("Now"),
    number(
        "Alerts that fire",
        'count(ALERTS{alertstate="firing", alertname=~"Triggers.*"}) or vector(0)',
        about="Each is explained in deploy/RUNBOOK.md.",
        limit=1,
    ),
    number("Workers ready", summed("trigger_ready"), limit=1, low_is_bad=True),
    number("Partitions worked on", f"count(count by (job, partition) ({of('trigger_customers')}))"),
    number("Records not handled", summed("trigger_consumer_lag_records"), limit=10_000),
    number(
        "Oldest watermark",
        f"max({of('trigger_watermark_age_seconds')})",
        about="Timers wait for it: so late they are at least.",
        unit="s",
        limit=120,
    ),
    number(
        "Timers late, last hour",
        f"max({of(_LATE + '1h')})",
        about="Over 30 s after their time. Objective: 0.5 %.",
        unit="percentunit",
        limit=0.005,
    ),
]

STREAM: Final[list[Json]] = [
    row("Stream"),
    graph(
        "Records handled",
        query(rate("trigger_events_total", "topic"), "{{topic}}"),
        unit="reqps",
        stacked=True,
    ),
    graph(
        "Records not handled",
        query(summed("trigger_consumer_lag_records", "topic"), "{{topic}}"),
        about="On the broker, by its last answer.",
        limit=10_000,
    ),
    graph(
        "Watermark age",
        query(f"max by (partition) ({of('trigger_watermark_age_seconds')})", "{{partition}}"),
        unit="s",
        limit=120,
    ),
    graph("From publishing to handling", *quantiles("trigger_event_lag_seconds"), unit="s"),
    graph(
        "Records that were not simply applied",
        query(rate("trigger_events_total", "outcome", _LOST), "{{outcome}}"),
        about="dead: not understood. skipped: read again after a crash or rebalance.",
        unit="reqps",
    ),
    graph(
        "Dead letters",
        query(
            rate("trigger_dead_letters_total", "topic, reason", function="increase"),
            "{{topic}} {{reason}}",
        ),
    ),
]

TIMERS: Final[list[Json]] = [
    row("Timers and decisions"),
    graph(
        "Timer lateness",
        *quantiles("trigger_timer_lateness_seconds"),
        about="The grace (5 s by default) is part of it.",
        unit="s",
        limit=30,
    ),
    graph(
        "Share of timers over 30 s late",
        query(of(_LATE + "5m"), "5 minutes"),
        query(of(_LATE + "1h"), "1 hour"),
        query(of(_LATE + "6h"), "6 hours"),
        unit="percentunit",
        limit=0.005,
    ),
    graph(
        "Decisions",
        query(rate("trigger_decisions_total", "outcome"), "{{outcome}}"),
        unit="ops",
        stacked=True,
    ),
    graph("Timers fired", query(rate("trigger_timers_fired_total"), "fired"), unit="ops"),
    graph("Steps that wait", query(summed("trigger_timers_pending"), "pending")),
    graph(
        "Shadow rules against live ones",
        query(rate("trigger_shadow_decisions_total", "verdict"), "{{verdict}}"),
        about="Empty unless a worker runs with --shadow.",
        unit="ops",
    ),
]

STATE: Final[list[Json]] = [
    row("State"),
    graph("Customers", query(summed("trigger_customers"), "customers")),
    graph(
        "State on disk",
        query(summed("trigger_state_bytes", "instance"), "{{instance}}"),
        unit="bytes",
        stacked=True,
    ),
    graph(
        "Volume in use",
        query(
            f"1 - {of('trigger_disk_free_bytes')} / {of('trigger_disk_size_bytes')}",
            "{{instance}}",
        ),
        unit="percentunit",
        limit=0.9,
    ),
    graph(
        "Rebuilding state",
        query(of("trigger_recovery_seconds"), "{{instance}}"),
        about="How long it is taking. Customers of these partitions get nothing meanwhile.",
        unit="s",
        limit=600,
    ),
    graph(
        "Changelog still to read",
        query(of("trigger_recovery_remaining_records"), "{{instance}}"),
    ),
    graph("Last rebuilding", query(of("trigger_last_recovery_seconds"), "{{instance}}"), unit="s"),
]

TRANSACTIONS: Final[list[Json]] = [
    row("Transactions"),
    graph(
        "Transactions",
        query(rate("trigger_transactions_total", "outcome"), "{{outcome}}"),
        about="Exactly once only. What is not committed nobody sees; the worker starts again.",
        unit="ops",
    ),
    graph(
        "Transactions not committed",
        query(
            rate(
                "trigger_transactions_total",
                "instance, outcome",
                'outcome!="committed"',
                "increase",
            ),
            "{{instance}} {{outcome}}",
        ),
        about="fenced: another worker has the partitions. failed: Kafka did not say how it ended.",
    ),
    graph(
        "A transaction takes",
        *quantiles("trigger_transaction_duration_seconds"),
        about="Sends are readable that much later.",
        unit="s",
    ),
]

PROCESS: Final[list[Json]] = [
    row("Process and broker"),
    graph(
        "CPU",
        query(rate("process_cpu_seconds_total", "instance"), "{{instance}}"),
        about="Cores. A worker decides on one: near 1 it is full.",
        unit="none",
    ),
    graph("Memory", query(of("process_resident_memory_bytes"), "{{instance}}"), unit="bytes"),
    graph(
        "A commit unit takes",
        query(
            f"histogram_quantile(0.99, {rate(_UNIT, 'le, phase')})",
            "99 % {{phase}}",
        ),
        about="handling: deciding. effects: waiting for the broker and the disk.",
        unit="s",
    ),
    graph("Records in a commit unit", *quantiles("trigger_batch_records")),
    graph(
        "Trouble with the broker",
        query(rate("trigger_broker_errors_total", function="increase"), "client errors"),
        query(rate("trigger_commit_errors_total", function="increase"), "commits failed"),
        query(rate("trigger_outboxes_resent_total", function="increase"), "outboxes sent again"),
    ),
    graph(
        "Rules in use",
        query(f"count by (rules_version) ({of('trigger_build_info')})", "{{rules_version}}"),
        query(summed("trigger_rules_stale"), "workers that refuse the file"),
        unit="none",
    ),
]

DASHBOARD: Final = dashboard(
    "triggers-operations",
    "Triggers: operations",
    "Is it up, does it keep up, is it in time. Generated by deploy/dashboards.",
    [*NOW, *STREAM, *TIMERS, *STATE, *TRANSACTIONS, *PROCESS],
    variables=[variable("job", "Installation", "label_values(trigger_ready, job)")],
    period="6h",
    other=("triggers-business", "Business"),
)
