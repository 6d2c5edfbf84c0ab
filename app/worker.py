"""The worker process: builds everything, runs until told to stop, and says how it ended."""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer
from faust.types import TP

from app import topics
from app.at_least_once import AtLeastOnce
from app.core.errors import ConfigError, InfrastructureError
from app.core.rules import Rules
from app.core.task import Task
from app.effects import Effects, Hook, ignore_hook
from app.exactly_once import ExactlyOnce
from app.explain.live import LiveExplanations
from app.explain.served import ExplainRoutes
from app.faust_app import WorkerApp
from app.guarantee import open_producer
from app.health import HealthServer
from app.intake import Intake
from app.lane import MakeTask
from app.live_gauges import Ask, LiveGauges
from app.located import LocatedCustomers
from app.metrics import Metrics
from app.offsets import BrokerOffsets
from app.outputs import Outputs, output_topics
from app.processor import Processor
from app.rules_file import load_rules
from app.rules_watch import LOOK_S, RulesWatch
from app.schema_registry import schema_reader
from app.settings import DEAD_LETTERS, Settings
from app.tracing import unit_spans
from app.transactions import Transactions
from app.version import ENGINE_VERSION
from app.wall import Wall

_log: Final = logging.getLogger(__name__)

EXIT_DONE: Final = 0
EXIT_FAILED: Final = 1

#: A stop that takes longer than this is cut short; nothing is lost by it, only read again.
STOP_DEADLINE_S: Final = 9.0
_METADATA_TIMEOUT_S: Final = 15.0
_COLLECT_AFTER: Final = 100_000
#: Records of one topic partition that may wait: a few fetches' worth.
_BUFFERED_FETCHES: Final = 4


def run_worker(
    settings: Settings, *, hook: Hook | None = None, make_task: MakeTask | None = None
) -> int:
    """Run until SIGTERM or SIGINT (0) or until something fails (1).

    Raises ConfigError, before anything was read, when settings, rules or topics are wrong. ``hook``
    is called around every effect; ``make_task`` makes the tasks: tests use both.
    Uses uvloop. A stop that hangs ends the process from here, STOP_DEADLINE_S after it began.
    """
    _use_uvloop()
    _collect_rarely()
    worker = _Worker(settings, hook, make_task)
    try:
        with asyncio.Runner() as runner:
            return runner.run(worker.main())
    except InfrastructureError as exc:
        _log.error("worker failed", extra={"action": "failed"}, exc_info=exc)
        return EXIT_FAILED
    finally:
        worker.disarm()


class _Worker:
    """One run of the worker."""

    def __init__(self, settings: Settings, hook: Hook | None, make_task: MakeTask | None) -> None:
        self._settings = settings
        self._metrics = Metrics()
        self._rules = RulesWatch(settings.rules_path, self._metrics)
        self._shadow_rules = _load_shadow(settings)
        self._make_task = make_task or Task
        self._read_by_schema = schema_reader(settings)
        self._spans = unit_spans(settings)
        self._partitions = topics.require_one_count(settings)
        _create_missing(settings)
        self._hook = hook or ignore_hook
        self._transactions: Transactions | None = None
        self._watchdog: threading.Timer | None = None
        self._is_stopping = False
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
        health = HealthServer(
            settings.web_host,
            settings.web_port,
            self._metrics,
            self._is_ready,
            self._intake.has_joined,
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
                "action": "starting", "version": ENGINE_VERSION, "partitions": self._partitions,
                "guarantee": "exactly_once" if self._is_exactly_once else "at_least_once",
            },
        )  # fmt: skip
        code = await self._run_until_end()
        _log.info("worker stops", extra={"action": "stopping", "exit_code": code})
        code = await self._shut_down(code)
        await health.stop()
        return code

    def _build(self) -> None:
        settings = self._settings
        self._producer, self._is_exactly_once = open_producer(settings, self._new_producer)
        self._intake = Intake(
            settings.read_topics,
            settings.max_poll_records * _BUFFERED_FETCHES,
            commits=not self._is_exactly_once,
        )
        self._intake.on_commit_failed = self._metrics.commit_errors.inc
        loop = asyncio.get_running_loop()
        self._intake.on_group_lost = lambda error: _to(loop, self._fail, error)
        self._offsets = BrokerOffsets(settings)
        largest = topics.largest_message(settings, settings.topic(DEAD_LETTERS))
        outputs = output_topics(settings, self._partition_counts(), self._partitions, largest)
        effects = self._new_effects(outputs)
        wall = Wall(lambda error: _to(loop, self._clock_set_back, error))
        self._metrics.clock_step.set_function(wall.step_s)
        self._processor = Processor(
            settings,
            self._intake,
            effects,
            self._metrics,
            self._make_task,
            self._rules.in_use,
            self._shadow_rules,
            self._partitions,
            self._fail,
            wall,
            self._read_by_schema,
            self._spans,
        )
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self._app = WorkerApp(settings, self._intake, self._offsets, self._partitions, wall)
        self._app.declare_agents(self._processor)
        self._customers = LocatedCustomers(settings, self._processor, self._app, outputs)
        ask = Ask(self._is_ready, self._app.recovery, self._processor.figures, self._intake.waiting)
        self._metrics.registry.register(LiveGauges(ask, settings.data_dir))

    def _new_effects(self, outputs: Outputs) -> Effects:
        intake, hook = self._intake, self._hook
        if not self._is_exactly_once:
            return AtLeastOnce(self._producer, intake, outputs, hook)
        self._transactions = Transactions(
            self._producer,
            self._settings.app_id,
            self._settings.transaction_timeout_ms,
            self._metrics.transaction_done,
            hook,
        )
        return ExactlyOnce(self._transactions, intake, outputs, hook)

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
        _log.error("worker failed", extra={"action": "failed"}, exc_info=error)
        return EXIT_FAILED

    async def _recovered(self, partitions: set[int]) -> None:
        """Work on these partitions, once it is certain from where on."""
        membership = self._intake.membership
        committed = await self._offsets.committed(
            TP(topic, number)
            for topic in self._settings.read_topics.values()
            for number in sorted(partitions)
        )
        if self._intake.membership != membership:
            return  # the group is rebalancing again, and what comes of it is recovered again
        if self._is_exactly_once:
            self._intake.resumed(committed)
        self._processor.assign(partitions, self._app.store.partition)

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
                    self._processor.use_rules(rules)
                    self._rules.use(rules)
        except Exception as exc:
            self._fail(exc)

    async def _shut_down(self, code: int) -> int:
        """Finish what is in progress, commit it, leave the group."""
        self._is_stopping = True
        self._watchdog = threading.Timer(STOP_DEADLINE_S, self._end_process)
        self._watchdog.daemon = True
        self._watchdog.start()
        await self._processor.release_all()
        if code == EXIT_DONE and self._failure.done():
            _log.error("worker failed", extra={"action": "failed"}, exc_info=self._failure.result())
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


def _to(
    loop: asyncio.AbstractEventLoop, fail: Callable[[BaseException], None], error: BaseException
) -> None:
    """From another thread into the loop."""
    loop.call_soon_threadsafe(fail, error)


def _load_shadow(settings: Settings) -> Rules | None:
    """The rules that only decide to be compared; they stay until the worker ends."""
    if settings.shadow_path is None:
        return None
    rules = load_rules(settings.shadow_path)
    _log.info(
        "shadow rules decide beside the others and send nothing",
        extra={"action": "shadow", "rules_version": rules.version},
    )
    return rules


def _create_missing(settings: Settings) -> None:
    """Make the output and internal topics that are not there, and say what else is not right."""
    report = topics.create(settings)
    for topic in report.created:
        _log.info("topic created", extra={"action": "topic_created", "topic": topic})
    for finding in report.findings:
        internal = settings.changelog_topic, settings.repartition_topic
        if finding.topic in internal and finding.what == "partitions":
            raise ConfigError(
                f"{finding}: the state of {settings.app_id} is of other input topics than these, or"
                " of another number of partitions; give them back the number they had, or read"
                " them from the start under another TRIGGER_APP_ID"
            )
        _log.warning(
            "topic is not as needed", extra={"action": "topic_finding", "finding": str(finding)}
        )


def _use_uvloop() -> None:
    """For the worker's loop and those that Faust makes in its threads."""
    with suppress(ImportError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def _collect_rarely() -> None:
    """Records are trees of objects, never cycles: collecting after every 700 new ones, which is
    Python's default, takes half of the worker's time.
    """
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 100)
