"""The worker process: runs until a signal or a failure, and returns how it ended."""

import asyncio
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Final

from aiokafka.errors import KafkaConnectionError
from confluent_kafka import KafkaException

from app.compiled import core_kind
from app.core.engine import Engine
from app.core.errors import ConfigError, InfrastructureError
from app.live.assembly import WorkerParts, build, prepare
from app.live.commit.committer import Hook, ignore_hook
from app.live.faust_app import WorkerApp
from app.live.memory import give_memory_back
from app.live.partition.assigned import AssignedPartitions
from app.live.partition.context import MakeEngine, Pace
from app.live.rules_reload import LOOK_S
from app.live.startup import collect_rarely, use_uvloop
from app.live.web.customer_lookup import LiveExplanations
from app.live.web.customer_search import SearchRoute
from app.live.web.routes import ExplainRoutes
from app.live.web.server import WebServer
from app.settings.model import Settings
from app.version import ENGINE_VERSION

_log: Final = logging.getLogger(__name__)


EXIT_DONE: Final = 0
EXIT_FAILED: Final = 1
#: A stop that takes longer than this is cut short; nothing is lost by it, only read again.
STOP_DEADLINE_S: Final = 7.0


def run_worker(
    settings: Settings,
    *,
    hook: Hook | None = None,
    make_engine: MakeEngine | None = None,
    pace: Pace | None = None,
) -> int:
    """Run until SIGTERM or SIGINT (0) or until something fails (1).

    Raises ConfigError, before anything was read, when settings, rules or topics are wrong. ``hook``
    is called around every effect, ``make_engine`` makes the tasks, ``pace`` is that of the
    partitions: tests use them.
    New rules that fail while they decide do not end it: it begins again with the rules before them.
    Uses uvloop. A stop that hangs ends the process from here,
    STOP_DEADLINE_S after it began.
    """
    use_uvloop()
    collect_rarely()
    give_memory_back()
    while True:
        worker: _Worker | None = None
        try:
            worker = _Worker(settings, hook, make_engine, pace or Pace())
            with asyncio.Runner() as runner:
                code = runner.run(worker.main())
        except InfrastructureError as exc:
            _log_failure(exc)
            return EXIT_FAILED
        finally:
            if worker is not None:
                worker.disarm()
        if not worker.begins_again:
            return code


def _log_failure(error: BaseException | None) -> None:
    """Log why the worker ends: in one line what an operator can mend, else with a traceback."""
    if isinstance(error, InfrastructureError | ConfigError):
        _log.error("worker failed", extra={"action": "failed", "error": str(error)})
    else:
        _log.error("worker failed", extra={"action": "failed"}, exc_info=error)


class _Worker:
    """One run of the worker: starts its parts, follows the rules file, and stops in order.

    Made and ended in the main thread; everything between runs in the main loop.
    """

    def __init__(
        self,
        settings: Settings,
        hook: Hook | None,
        make_engine: MakeEngine | None,
        pace: Pace,
    ) -> None:
        self._prepared = prepare(settings)
        self._settings = self._prepared.settings
        self._rules = self._prepared.rules
        self._hook = hook or ignore_hook
        self._make_engine = make_engine or Engine
        self._pace = pace
        self._watchdog: threading.Timer | None = None
        self._is_stopping = False
        #: to begin again, with the rules before those that have failed
        self.begins_again = False
        self._is_started = False
        #: how a stop ends that hangs: well, once everything in progress is done and committed
        self._cut_short_code = EXIT_FAILED
        self._parts: WorkerParts | None = None

    async def main(self) -> int:
        """Run until a signal or a failure; the exit code."""
        loop = asyncio.get_running_loop()
        self._stop: asyncio.Event = asyncio.Event()
        self._failure: asyncio.Future[BaseException] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        parts = self._parts = build(
            self._prepared,
            hook=self._hook,
            make_engine=self._make_engine,
            pace=self._pace,
            on_failure=self._fail,
            on_clock_set_back=self._clock_set_back,
            is_ready=self._is_ready,
        )
        web = await self._start_web(parts)
        _log.info(
            "worker starts",
            extra={
                "action": "starting",
                "version": ENGINE_VERSION,
                "core": core_kind(),
                "partitions": self._prepared.partitions,
                "guarantee": "at_least_once" if parts.transactions is None else "exactly_once",
                "compression": self._settings.compression,
            },
        )
        code = await self._run_until_end(parts)
        _log.info("worker stops", extra={"action": "stopping", "exit_code": code})
        code = await self._shut_down(parts, code)
        await web.stop()
        if self.begins_again:
            self._prepared.data_dir.release()
        return code

    async def _start_web(self, parts: WorkerParts) -> WebServer:
        settings, customers = self._settings, parts.customers
        explanations = LiveExplanations(customers, customers.read_decisions)
        web = WebServer(
            settings.web_host,
            settings.web_port,
            self._prepared.metrics,
            self._is_ready,
            lambda: parts.progress.positions.has_joined,
            [
                *ExplainRoutes(explanations, settings.web_token).routes(),
                *SearchRoute(customers, settings.web_token).routes(),
            ],
        )
        try:
            await web.start()
        except OSError as exc:
            raise ConfigError(
                f"{settings.web_host}:{settings.web_port}: the web server cannot listen:"
                f" {exc.strerror}; choose another port, or 0 for a free one"
            ) from exc
        return web

    async def _run_until_end(self, parts: WorkerParts) -> int:
        """Start the app and wait for a signal or a failure; the exit code."""
        loop = asyncio.get_running_loop()
        start = loop.create_task(self._start(parts.app))
        stop = loop.create_task(self._stop.wait())
        crash = loop.create_task(parts.app.has_crashed())
        self._start_task = start
        follow = loop.create_task(self._follow_rules(parts.assigned))
        await asyncio.wait({stop, crash, self._failure}, return_when=asyncio.FIRST_COMPLETED)
        for task in (stop, crash, follow):
            task.cancel()
        if self._failure.done():
            error: BaseException | None = self._failure.result()
        elif crash.done() and not crash.cancelled():
            error = parts.app.crash_reason
        else:
            return EXIT_DONE
        _log_failure(error)
        if not isinstance(error, InfrastructureError | ConfigError):
            self.begins_again = self._rules.goes_back()
        return EXIT_FAILED

    async def _start(self, app: WorkerApp) -> None:
        try:
            await app.start()
            self._is_started = True
            _log.info("worker is ready", extra={"action": "ready"})
        except asyncio.CancelledError:
            raise
        except KafkaConnectionError as exc:
            self._fail(
                InfrastructureError(
                    f"Kafka went away while the worker started: {exc}; start the worker again once"
                    f" {self._settings.bootstrap_servers} answers"
                )
            )
        except BaseException as exc:
            self._fail(exc)

    async def _follow_rules(self, assigned: AssignedPartitions) -> None:
        """Take what the rules file says when it changes."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                rules = await asyncio.to_thread(self._rules.look)
                if rules is not None:
                    assigned.use_rules(rules)
                    self._rules.use(rules)
        except Exception as exc:
            self._fail(exc)

    async def _shut_down(self, parts: WorkerParts, code: int) -> int:
        """Finish what is in progress, commit it, leave the group."""
        self._is_stopping = True
        self._watchdog = threading.Timer(STOP_DEADLINE_S, self._end_process)
        self._watchdog.daemon = True
        self._watchdog.start()
        await parts.assigned.release_all()
        if code == EXIT_DONE and self._failure.done():
            _log_failure(self._failure.result())
            code = EXIT_FAILED
        if self._is_started:
            await parts.app.consumer.commit()
        else:
            self._start_task.cancel()
            with suppress(asyncio.CancelledError):
                await self._start_task
        self._cut_short_code = code
        await parts.app.stop()
        with suppress(KafkaException):  # it has failed for good: nothing of it is waited for
            parts.flush(1.0)
        if self._prepared.spans is not None:
            await asyncio.to_thread(self._prepared.spans.close)
        return code

    def disarm(self) -> None:
        """The stop has come to its end, unless a thread hangs that the interpreter would join."""
        transactions = None if self._parts is None else self._parts.transactions
        is_stuck = transactions is not None and transactions.is_stuck
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

    def _is_ready(self) -> bool:
        if self._parts is None or not self._is_started or self._is_stopping:
            return False
        is_recovered: bool = self._parts.app.tables.actives_ready
        return is_recovered

    def _clock_set_back(self, error: BaseException) -> None:
        """A rehearsal goes by the records' clock, so only a live worker fails."""
        if self._settings.clock == "wall":
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self._failure.done():
            self._failure.set_result(error)
