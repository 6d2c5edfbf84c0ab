"""The worker process: builds everything, runs until told to stop, and says how it ended."""

import asyncio
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from app.core.engine import Engine
from app.core.errors import ConfigError, InfrastructureError
from app.core.rules.model import Rules
from app.formats.schema_registry import schema_reader
from app.kafka import topics
from app.kafka.types import TopicPartition
from app.live.clock.machine_clock import MachineClock
from app.live.commit.at_least_once import AtLeastOnce
from app.live.commit.committer import Committer, Hook, ignore_hook
from app.live.commit.exactly_once import ExactlyOnce
from app.live.commit.guarantee import open_producer
from app.live.commit.output_records import OutputTopics, output_topics
from app.live.commit.transactions import TransactionCoordinator
from app.live.data_dir import DataDir
from app.live.faust_app import WorkerApp
from app.live.input.broker_offsets import BrokerOffsets
from app.live.input.lost_data import LostDataCheck
from app.live.input.newest_record import newest_record_ms
from app.live.input.progress import InputProgress
from app.live.partition.assigned import AssignedPartitions
from app.live.partition.context import MakeEngine, PartitionContext
from app.live.rules_reload import LOOK_S, RulesReloader
from app.live.startup import collect_rarely, create_missing_topics, load_shadow_rules, use_uvloop
from app.live.telemetry.gauges import GaugeSources, LiveGauges
from app.live.telemetry.metrics import Metrics
from app.live.telemetry.tracing import unit_spans
from app.live.web.customer_lookup import LiveExplanations, LocatedCustomers
from app.live.web.routes import ExplainRoutes
from app.live.web.server import WebServer
from app.settings.model import Settings
from app.settings.topics import DEAD_LETTERS
from app.version import ENGINE_VERSION

_log: Final = logging.getLogger(__name__)


EXIT_DONE: Final = 0
EXIT_FAILED: Final = 1
#: A stop that takes longer than this is cut short; nothing is lost by it, only read again.
STOP_DEADLINE_S: Final = 9.0
_METADATA_TIMEOUT_S: Final = 15.0
#: Records of one topic partition that may wait: a few fetches' worth.
_BUFFERED_FETCHES: Final = 4


def run_worker(
    settings: Settings, *, hook: Hook | None = None, make_engine: MakeEngine | None = None
) -> int:
    """Run until SIGTERM or SIGINT (0) or until something fails (1).

    Raises ConfigError, before anything was read, when settings, rules or topics are wrong. ``hook``
    is called around every effect; ``make_engine`` makes the tasks: tests use both.
    Rules that fail while they decide, after they were reloaded, do not end it: it begins again with
    the rules before them. Uses uvloop. A stop that hangs ends the process from here,
    STOP_DEADLINE_S after it began.
    """
    use_uvloop()
    collect_rarely()
    last_good: Rules | None = None
    while True:
        worker: _Worker | None = None
        try:
            worker = _Worker(settings, hook, make_engine, last_good)
            with asyncio.Runner() as runner:
                code = runner.run(worker.main())
        except InfrastructureError as exc:
            _log_failure(exc)
            return EXIT_FAILED
        finally:
            if worker is not None:
                worker.disarm()
        last_good = worker.goes_back_to
        if last_good is None:
            return code


def _log_failure(error: BaseException | None) -> None:
    """Log why the worker ends: in one line what an operator can mend, else with a traceback."""
    if isinstance(error, InfrastructureError | ConfigError):
        _log.error("worker failed", extra={"action": "failed", "error": str(error)})
    else:
        _log.error("worker failed", extra={"action": "failed"}, exc_info=error)


class _Worker:
    """One run of the worker."""

    def __init__(
        self,
        settings: Settings,
        hook: Hook | None,
        make_engine: MakeEngine | None,
        last_good: Rules | None = None,
    ) -> None:
        """``last_good``: decide by these, because those of the file have failed."""
        self._data_dir = DataDir(settings.data_dir)
        self._metrics = Metrics(by_trigger=settings.metrics_detail == "trigger")
        self._rules = RulesReloader(settings.rules_path, self._metrics, last_good)
        settings = settings.with_declared_inputs(self._rules.in_use.taxonomy.topics)
        self._settings = settings
        self._shadow_rules = load_shadow_rules(settings)
        self._make_engine = make_engine or Engine
        self._read_by_schema = schema_reader(settings)
        self._spans = unit_spans(settings)
        self._partitions = topics.require_one_count(settings)
        self._rules.share_rates(self._partitions)
        create_missing_topics(settings)
        self._hook = hook or ignore_hook
        self._transactions: TransactionCoordinator | None = None
        self._watchdog: threading.Timer | None = None
        self._is_stopping = False
        #: the rules to begin again with, because the reloaded ones have failed
        self.goes_back_to: Rules | None = None
        self._is_started = False
        #: how a stop ends that hangs: well, once everything in progress is done and committed
        self._cut_short_code = EXIT_FAILED

    async def main(self) -> int:
        settings = self._settings
        loop = asyncio.get_running_loop()
        self._stop: asyncio.Event = asyncio.Event()
        self._failure: asyncio.Future[BaseException] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._build()
        customers = self._customers
        explanations = LiveExplanations(customers, customers.read_decisions)
        health = WebServer(
            settings.web_host,
            settings.web_port,
            self._metrics,
            self._is_ready,
            lambda: self._progress.positions.has_joined,
            ExplainRoutes(explanations, settings.web_token).routes(),
        )
        try:
            await health.start()
        except OSError as exc:
            raise ConfigError(
                f"{settings.web_host}:{settings.web_port}: the web server cannot listen:"
                f" {exc.strerror}; choose another port, or 0 for a free one"
            ) from exc
        _log.info(
            "worker starts",
            extra={
                "action": "starting",
                "version": ENGINE_VERSION,
                "partitions": self._partitions,
                "guarantee": "exactly_once" if self._is_exactly_once else "at_least_once",
            },
        )
        code = await self._run_until_end()
        _log.info("worker stops", extra={"action": "stopping", "exit_code": code})
        code = await self._shut_down(code)
        await health.stop()
        if self.goes_back_to is not None:
            self._data_dir.release()
        return code

    def _build(self) -> None:
        settings = self._settings
        self._producer, self._is_exactly_once = open_producer(settings, self._new_producer)
        self._progress = InputProgress(
            settings.read_topics,
            settings.max_poll_records * _BUFFERED_FETCHES,
            is_consumer_committing=not self._is_exactly_once,
        )
        self._offsets = BrokerOffsets(settings)
        self._lost_data = LostDataCheck(
            settings,
            self._offsets,
            self._count_lost,
        )
        largest = topics.largest_message(settings, settings.topic(DEAD_LETTERS))
        outputs = output_topics(settings, self._partition_counts(), self._partitions, largest)
        machine_clock = self._new_machine_clock()
        context = PartitionContext(
            settings=settings,
            progress=self._progress,
            committer=self._new_committer(outputs),
            metrics=self._metrics,
            machine_clock=machine_clock,
            input_partitions=self._partitions,
            make_engine=self._make_engine,
            shadow_rules=self._shadow_rules,
            read_by_schema=self._read_by_schema,
            spans=self._spans,
        )
        self._assigned = AssignedPartitions(
            context,
            self._rules.in_use,
            self._fail,
            lambda: newest_record_ms(settings, self._partitions),
        )
        self._app = WorkerApp(
            settings,
            progress=self._progress,
            offsets=self._offsets,
            listener=self._assigned,
            machine_clock=machine_clock,
            partitions=self._partitions,
        )
        self._app.declare_agents(self._assigned)
        self._customers = LocatedCustomers(
            settings, self._assigned, self._app, outputs, self._partitions
        )
        sources = GaugeSources(
            self._is_ready,
            self._app.recovery,
            self._assigned.figures,
            self._progress.buffered.total,
        )
        self._metrics.registry.register(LiveGauges(sources, settings.data_dir))

    def _new_machine_clock(self) -> MachineClock:
        loop = asyncio.get_running_loop()

        def on_set_back(error: InfrastructureError) -> None:
            loop.call_soon_threadsafe(self._clock_set_back, error)

        clock = MachineClock(on_set_back)
        self._metrics.clock_step.set_function(clock.step_s)
        return clock

    def _new_committer(self, outputs: OutputTopics) -> Committer:
        progress, hook = self._progress, self._hook
        if not self._is_exactly_once:
            return AtLeastOnce(self._producer, progress, outputs, hook)
        self._transactions = TransactionCoordinator(
            self._producer,
            self._settings.app_id,
            self._settings.transaction_timeout_ms,
            self._metrics.transaction_done,
            hook,
            self._settings.instance_id,
        )
        return ExactlyOnce(self._transactions, progress, outputs, hook)

    def _new_producer(self, config: dict[str, Any]) -> Producer:
        log_error = config.get("error_cb")

        def on_error(error: KafkaError) -> None:
            self._metrics.broker_errors.inc()
            if log_error is not None:
                log_error(error)

        return Producer(config | {"error_cb": on_error})

    def _partition_counts(self) -> dict[str, int]:
        try:
            found = self._producer.list_topics(timeout=_METADATA_TIMEOUT_S).topics
        except KafkaException as exc:
            raise InfrastructureError(f"Kafka does not answer: {exc.args[0].str()}") from exc
        return {name: len(topic.partitions) for name, topic in found.items()}

    async def _run_until_end(self) -> int:
        """Start the app and wait for a signal or a failure; the exit code."""
        store = self._app.store
        store.on_failure = self._fail
        store.on_applied = self._count_applied
        self._metrics.standby_lag.set_function(self._app.standby_lag)
        store.on_recovered = self._recovered
        store.on_ends_known = self._check_changelogs
        loop = asyncio.get_running_loop()
        start = loop.create_task(self._start())
        stop = loop.create_task(self._stop.wait())
        crash = loop.create_task(self._app.has_crashed())
        self._start_task = start
        follow = loop.create_task(self._follow_rules())
        await asyncio.wait({stop, crash, self._failure}, return_when=asyncio.FIRST_COMPLETED)
        for task in (stop, crash, follow):
            task.cancel()
        if self._failure.done():
            error: BaseException | None = self._failure.result()
        elif crash.done() and not crash.cancelled():
            error = self._app.crash_reason
        else:
            return EXIT_DONE
        _log_failure(error)
        if not isinstance(error, InfrastructureError | ConfigError):
            self.goes_back_to = self._rules.before_failure()
        return EXIT_FAILED

    async def _recovered(self, partitions: set[int]) -> None:
        """Work on these partitions, once it is certain from where on."""
        membership = self._progress.membership
        committed = await self._offsets.committed(
            TopicPartition(topic, number)
            for topic in self._settings.read_topics.values()
            for number in sorted(partitions)
        )
        if self._progress.membership != membership:
            return  # the group is rebalancing again, and what comes of it is recovered again
        await self._lost_data.check_inputs(committed)
        if self._progress.membership != membership:
            return
        if self._is_exactly_once:
            self._progress.positions.resumed(committed)
        self._assigned.assign(partitions, self._app.store.partition)

    def _count_lost(self, topic: str, records: int) -> None:
        self._metrics.input_lost.labels(self._progress.logical[topic]).inc(records)

    async def _check_changelogs(self, ends: dict[TopicPartition, int]) -> None:
        active = ends.keys() & self._app.assignor.assigned_actives()
        try:
            await self._lost_data.check_state(active, self._app.store)
        except InfrastructureError as exc:
            self._fail(exc)
            # the worker stops; an error raised here would be logged by Faust a second time
            await asyncio.Event().wait()
        known = self._app.tables.recovery.active_offsets
        for tp in active:
            if self._app.store.persisted_offset(tp) is None:
                # of a database that was thrown away; Faust has noted how far it was
                known.pop(tp, None)

    async def _start(self) -> None:
        try:
            await self._app.start()
            self._is_started = True
            _log.info("worker is ready", extra={"action": "ready"})
        except asyncio.CancelledError:
            raise
        except BaseException as exc:
            self._fail(exc)

    async def _follow_rules(self) -> None:
        """Take what the rules file says when it changes."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                rules = await asyncio.to_thread(self._rules.look)
                if rules is not None:
                    self._assigned.use_rules(rules)
                    self._rules.use(rules)
        except Exception as exc:
            self._fail(exc)

    async def _shut_down(self, code: int) -> int:
        """Finish what is in progress, commit it, leave the group."""
        self._is_stopping = True
        self._watchdog = threading.Timer(STOP_DEADLINE_S, self._end_process)
        self._watchdog.daemon = True
        self._watchdog.start()
        await self._assigned.release_all()
        if code == EXIT_DONE and self._failure.done():
            _log_failure(self._failure.result())
            code = EXIT_FAILED
        if self._is_started:
            await self._app.consumer.commit()
        else:
            self._start_task.cancel()
            with suppress(asyncio.CancelledError):
                await self._start_task
        self._cut_short_code = code
        await self._app.stop()
        self._producer.flush(1.0)
        if self._spans is not None:
            await asyncio.to_thread(self._spans.close)
        return code

    def disarm(self) -> None:
        """The stop has come to its end, unless a thread hangs that the interpreter would join."""
        is_stuck = self._transactions is not None and self._transactions.is_stuck
        if self._watchdog is not None and not is_stuck:
            self._watchdog.cancel()

    def _end_process(self) -> None:
        """The Kafka client waits for a broker; its threads would keep the interpreter waiting."""
        _log.warning(
            "stop took too long and is cut short",
            extra={"action": "stop_deadline", "exit_code": self._cut_short_code},
        )
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(self._cut_short_code)

    def _count_applied(self, records: int, is_active: bool) -> None:
        role = "active" if is_active else "standby"
        self._metrics.changelog_applied.labels(role).inc(records)

    def _is_ready(self) -> bool:
        return self._is_started and not self._is_stopping and self._app.tables.actives_ready

    def _clock_set_back(self, error: BaseException) -> None:
        """A rehearsal has the records' clock, which nobody sets."""
        if self._settings.clock == "wall":
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self._failure.done():
            self._failure.set_result(error)
