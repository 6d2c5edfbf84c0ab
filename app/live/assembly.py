"""Builds the parts of a running worker and connects them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer

from app.core.customer.limits import MAX_RECORD_BYTES
from app.core.engine import Engine
from app.core.errors import InfrastructureError
from app.core.rules.model import Rules
from app.formats.decode import ReadBySchema
from app.formats.schema_registry import schema_reader
from app.kafka import topics
from app.live.clock.machine_clock import MachineClock
from app.live.commit.at_least_once import AtLeastOnce
from app.live.commit.committer import Committer, Hook
from app.live.commit.exactly_once import ExactlyOnce
from app.live.commit.guarantee import open_producer
from app.live.commit.output_records import output_topics
from app.live.commit.transactions import TransactionCoordinator
from app.live.data_dir import DataDir
from app.live.faust_app import WorkerApp
from app.live.input.broker_offsets import BrokerOffsets
from app.live.input.newest_record import newest_record_ms
from app.live.input.progress import InputProgress
from app.live.partition.assigned import AssignedPartitions
from app.live.partition.context import MakeEngine, Pace, PartitionContext
from app.live.recovery import Recovery
from app.live.repartition.envelope import LARGEST_EVENT_BYTES
from app.live.rules_memory import RulesMemory
from app.live.rules_reload import RulesReloader
from app.live.startup import create_missing_topics, load_shadow_rules
from app.live.telemetry.gauges import GaugeSources, LiveGauges
from app.live.telemetry.metrics import Metrics
from app.live.telemetry.tracing import UnitSpans, unit_spans
from app.live.web.customer_lookup import LocatedCustomers
from app.settings.model import Settings
from app.settings.topics import DEAD_LETTERS

_METADATA_TIMEOUT_S: Final = 15.0
#: Records of one topic partition that may wait: a few fetches' worth.
_BUFFERED_FETCHES: Final = 4

OnFailure = Callable[[BaseException], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What was read and checked before the worker joins its consumer group."""

    #: with the input topics that the rules declare
    settings: Settings
    data_dir: DataDir
    metrics: Metrics
    rules: RulesReloader
    shadow_rules: Rules | None
    read_by_schema: ReadBySchema | None
    spans: UnitSpans | None
    #: partition count of the input topics
    partitions: int


def prepare(settings: Settings) -> Preparation:
    """Lock the data directory, read the rules and see to the topics. Raises ConfigError and
    InfrastructureError.
    """
    data_dir = DataDir(settings.data_dir)
    metrics = Metrics(by_trigger=settings.metrics_detail == "trigger")
    rules = RulesReloader(settings.rules_path, metrics, RulesMemory(settings.data_dir))
    settings = settings.with_declared_inputs(rules.in_use.taxonomy.topics)
    shadow_rules = load_shadow_rules(settings)
    read_by_schema = schema_reader(settings)
    spans = unit_spans(settings)
    partitions = topics.require_one_count(settings)
    rules.share_rates(partitions)
    create_missing_topics(settings)
    settings = msgspec.structs.replace(settings, compression=topics.compression(settings))
    return Preparation(
        settings=settings,
        data_dir=data_dir,
        metrics=metrics,
        rules=rules,
        shadow_rules=shadow_rules,
        read_by_schema=read_by_schema,
        spans=spans,
        partitions=partitions,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerParts:
    """The connected parts of a worker, which live as long as its main loop."""

    #: give the producer so many seconds for what is left; how many records are not on the broker
    flush: Callable[[float], int]
    progress: InputProgress
    assigned: AssignedPartitions
    app: WorkerApp
    customers: LocatedCustomers
    #: None at least once
    transactions: TransactionCoordinator | None


def build(
    prepared: Preparation,
    *,
    hook: Hook,
    make_engine: MakeEngine = Engine,
    pace: Pace,
    on_failure: OnFailure,
    on_clock_set_back: OnFailure,
    is_ready: Callable[[], bool],
) -> WorkerParts:
    """Build everything; called in the worker's main loop. Raises InfrastructureError.

    ``on_clock_set_back`` is called in the loop, ``is_ready`` at each scrape of the metrics.
    """
    settings, metrics = prepared.settings, prepared.metrics
    producer, is_exactly_once, reopen = open_producer(
        settings, lambda config: _producer(config, metrics)
    )
    progress = InputProgress(
        settings.read_topics,
        settings.max_poll_records * _BUFFERED_FETCHES,
        is_consumer_committing=not is_exactly_once,
    )
    offsets = BrokerOffsets(settings)
    largest = topics.largest_message(settings, settings.topic(DEAD_LETTERS))
    outputs = output_topics(settings, _partition_counts(producer), prepared.partitions, largest)
    machine_clock = _machine_clock(metrics, on_clock_set_back)
    transactions = (
        TransactionCoordinator(
            producer,
            settings.app_id,
            settings.transaction_timeout_ms,
            metrics.transaction_done,
            hook,
            settings.instance_id,
            reopen,
        )
        if is_exactly_once
        else None
    )
    committer: Committer = (
        AtLeastOnce(producer, progress, outputs, hook)
        if transactions is None
        else ExactlyOnce(transactions, progress, outputs, hook)
    )
    context = PartitionContext(
        settings=settings,
        progress=progress,
        committer=committer,
        metrics=metrics,
        machine_clock=machine_clock,
        input_partitions=prepared.partitions,
        make_engine=make_engine,
        pace=pace,
        shadow_rules=prepared.shadow_rules,
        read_by_schema=prepared.read_by_schema,
        largest_guest_bytes=_largest_guest(settings),
        spans=prepared.spans,
    )
    assigned = AssignedPartitions(
        context,
        prepared.rules.in_use,
        on_failure,
        lambda: newest_record_ms(settings, prepared.partitions),
    )
    app = WorkerApp(
        settings,
        progress=progress,
        offsets=offsets,
        listener=assigned,
        machine_clock=machine_clock,
        partitions=prepared.partitions,
    )
    app.declare_agents(assigned)
    Recovery(
        settings,
        progress=progress,
        offsets=offsets,
        metrics=metrics,
        assigned=assigned,
        app=app,
        on_failure=on_failure,
        is_exactly_once=is_exactly_once,
    ).connect()
    sources = GaugeSources(is_ready, app.recovery, assigned.figures, progress.buffered.total)
    metrics.registry.register(LiveGauges(sources, settings.data_dir))
    return WorkerParts(
        flush=producer.flush if transactions is None else transactions.flush,
        progress=progress,
        assigned=assigned,
        app=app,
        customers=LocatedCustomers(settings, assigned, app, outputs, prepared.partitions),
        transactions=transactions,
    )


def _producer(config: dict[str, Any], metrics: Metrics) -> Producer:
    """A producer whose broker errors are counted."""
    log_error = config.get("error_cb")

    def on_error(error: KafkaError) -> None:
        metrics.broker_errors.inc()
        if log_error is not None:
            log_error(error)

    return Producer(config | {"error_cb": on_error})


def _largest_guest(settings: Settings) -> int:
    """What of a merged customer's record the repartition topic takes beside its event."""
    largest = topics.largest_message(settings, settings.repartition_topic)
    return min(MAX_RECORD_BYTES, largest - LARGEST_EVENT_BYTES)


def _partition_counts(producer: Any) -> dict[str, int]:
    try:
        found = producer.list_topics(timeout=_METADATA_TIMEOUT_S).topics
    except KafkaException as exc:
        raise InfrastructureError(f"Kafka does not answer: {exc.args[0].str()}") from exc
    return {name: len(topic.partitions) for name, topic in found.items()}


def _machine_clock(metrics: Metrics, on_set_back: OnFailure) -> MachineClock:
    loop = asyncio.get_running_loop()

    def call_in_loop(error: InfrastructureError) -> None:
        loop.call_soon_threadsafe(on_set_back, error)

    clock = MachineClock(call_in_loop)
    metrics.clock_step.set_function(clock.step_s)
    return clock
