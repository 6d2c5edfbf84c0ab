"""One case: its topics and history, workers that are started again, and what came of it."""

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import KafkaException

from app.publish.publish import publish
from app.settings.model import Settings, default_rules_path
from tests.fault import table
from tests.fault.budget import DEADLINE_S, MAX_IDLE, UNIT_RECORDS
from tests.fault.ends import ends
from tests.fault.history import GRACE_MS, Expected, History
from tests.fault.judge import Verdict, caps_broken, compare
from tests.fault.observer import WATCHED, Observer, Place
from tests.process.running import RunningWorker, Wire, wait_for

#: What the outputs hold, by logical topic -> what is wrong with it.
Judge = Callable[[dict[str, list[bytes]]], Verdict]
#: Takes the case's row of the table.
Record = Callable[[list[object]], None]
#: Exit codes of a worker that is to be started again: it failed, or was killed.
_AGAIN = (1, -9)


class Case:
    """What harm is done to. ``kills`` is counted by whoever does it.

    A worker that ends by itself is started again under its name, as Kubernetes would do it, when
    ``tend`` is called: everything here that waits does that.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        folder: Path,
        expected: Expected,
        stack: ExitStack,
        guarantee: str,
        record: Record,
    ) -> None:
        self.guarantee = guarantee
        self.settings = settings
        self.wire = Wire(settings, settings.partitions)
        self.expected = expected
        self.judge: Judge = self._as_the_backtest
        self.kills = 0
        #: how often a worker ended by itself
        self.failures = 0
        self.workers: dict[str, RunningWorker] = {}
        self.published: dict[str, int] = {}
        self.observer = stack.enter_context(Observer(settings))
        self._erased: set[str] = set()
        self._name = name
        self._record = record
        self._folder = folder
        self._stack = stack
        self._started: dict[str, dict[str, str]] = {}

    def publish(self, lines: Sequence[bytes]) -> None:
        """Put lines of the history onto the inputs, under the times at which they arrived."""
        report = publish(self.settings, lines, timestamps="occurred_at")
        assert report.bad == 0, report.bad_lines
        for topic, count in report.published.items():
            self.published[topic] = self.published.get(topic, 0) + count
        self._erased |= {
            each["key"] for each in map(orjson.loads, lines) if each.get("value", 0) is None
        }

    def data_dir(self, name: str) -> Path:
        """The volume of the worker of this name."""
        return self._folder / f"data-{name}"

    def wipe(self, name: str) -> None:
        """Its volume is lost."""
        shutil.rmtree(self.data_dir(name), ignore_errors=True)

    def start(self, name: str = "a", **variables: str) -> RunningWorker:
        """Start a worker; it takes up the name's files and its place in the group."""
        self._started[name] = variables
        worker = RunningWorker(
            self.settings,
            self._folder / f"{name}.log",
            {
                "TRIGGER_DATA_DIR": str(self.data_dir(name)),
                "TRIGGER_INSTANCE_ID": f"{self.settings.app_id}-{name}",
                "TRIGGER_REPLICATION_FACTOR": str(self.settings.replication_factor),
                "TRIGGER_GUARANTEE": self.guarantee,
                "TRIGGER_CLOCK": self.settings.clock,
                "TRIGGER_RULES": str(default_rules_path()),
                "TRIGGER_GRACE": f"{GRACE_MS}ms",
                "TRIGGER_MAX_IDLE": MAX_IDLE,
                # all that a fetch brought is handed over at once: no topic seems to be slow
                "TRIGGER_MAX_POLL_RECORDS": "100000",
                "UNIT_RECORDS": str(UNIT_RECORDS),
                **variables,
            },
        )
        self.workers[name] = self._stack.enter_context(worker)
        return worker

    def kill(self, name: str = "a") -> None:
        """SIGKILL."""
        self.workers.pop(name).kill()
        self.kills += 1

    def leave(self, name: str) -> None:
        """The worker is stopped in all order, if there is one."""
        worker = self.workers.pop(name, None)
        if worker is not None:
            assert worker.stop(20.0) == 0, worker.log[-5000:]

    def dies(self, name: str = "a", deadline_s: float = DEADLINE_S) -> None:
        """Wait for the death that the worker was started with."""
        worker = self.workers.pop(name)
        assert worker.wait(deadline_s) == -9, worker.log[-5000:]
        self.kills += 1

    def tend(self) -> None:
        """Start those again that ended."""
        for name, worker in list(self.workers.items()):
            code = worker.process.poll()
            if code is not None:
                assert code in _AGAIN, worker.log[-5000:]
                self.failures += 1
                self.start(name, **self._started[name])

    def wait(self, what: str, is_so: Callable[[], Any], deadline_s: float = DEADLINE_S) -> None:
        """Until it is so, tending workers."""

        def tended() -> Any:
            self.tend()
            return is_so()

        try:
            wait_for(what, tended, deadline_s)
        except AssertionError as exc:
            logs = {name: worker.log[-3000:] for name, worker in self.workers.items()}
            raise AssertionError(f"{exc}; {self._progress()}; logs {logs}") from None

    def wait_until_ready(self, *names: str) -> None:
        """Until these workers say that they are, started again if need be."""
        self.wait(
            "ready", lambda: all(self.workers[name].get("/ready")[0] == 200 for name in names)
        )

    def wait_for_share(self, share: float) -> None:
        """Until so much of the decisions is there."""
        wanted = int(share * len(self.expected.decisions))
        self.wait(f"{wanted} decisions", lambda: self.observer.counts["decisions"] >= wanted)

    def is_read(self) -> bool:
        """Whether the group's offsets are at the ends of all inputs."""
        try:
            committed = self.wire.committed()
        except KafkaException:
            return False
        return all(committed[topic] == count for topic, count in self.published.items())

    def finish(self) -> None:
        """Let the workers come to the end, judge, and enter it into the table."""
        problem = ""
        try:
            self.wait("everything read", self._is_done)
            for name in list(self.workers):
                worker = self.workers.pop(name)
                if worker.stop(20.0) != 0:
                    problem = f"{name} did not stop well: {worker.log[-3000:]}"
        except AssertionError as exc:
            problem = str(exc)
        verdict = self.verdict()
        row = table.Row(
            self._name,
            sum(self.published.values()),
            self.kills,
            *verdict[:3],
            self.observer.stall_s,
        )
        self._record(list(row))
        assert verdict[:3] == (0, 0, 0), (row, verdict.examples, problem or self._progress())
        assert not problem, problem
        assert self.is_read(), self._progress()

    def _is_done(self) -> bool:
        counts = self.observer.counts
        return (
            all(counts[topic] >= len(getattr(self.expected, topic)) for topic in WATCHED)
            and self.is_read()
        )

    def verdict(self) -> Verdict:
        """What the outputs hold now, to their ends, against what was to be."""
        places: dict[Place, bytes] = {}
        values: dict[str, list[bytes]] = {}
        for topic in WATCHED:
            found = {
                (topic, each.partition() or 0, each.offset() or 0): each.value() or b""
                for each in self.wire.read(topic)
            }
            places |= found
            values[topic] = list(found.values())
            if self.guarantee == "at_least_once":
                # as readers have to do then; what is repeated must be the same in every byte
                values[topic] = list(dict.fromkeys(values[topic]))
        return self.judge(values).plus(Verdict(wrong=self.observer.unlike(places)))

    def _as_the_backtest(self, values: dict[str, list[bytes]]) -> Verdict:
        verdict = caps_broken(default_rules_path().read_bytes(), values["decisions"], self._erased)
        for topic, found in values.items():
            verdict = verdict.plus(compare(topic, getattr(self.expected, topic), found))
        return verdict

    def _progress(self) -> str:
        wanted = {topic: len(getattr(self.expected, topic)) for topic in WATCHED}
        try:
            committed: object = self.wire.committed()
            outputs: object = {
                topic: ends(self.settings, self.settings.topic(topic)) for topic in WATCHED
            }
        except KafkaException as exc:
            committed = outputs = exc
        return (
            f"seen {self.observer.counts} of {wanted}, committed {committed} of {self.published},"
            f" {self.kills} kills, {self.failures} failures, observer at {self.observer.positions},"
            f" outputs end at {outputs}"
        )


class CaseOf:
    """Makes a case of a history, under the name of the test."""

    def __init__(
        self, name: str, settings: Settings, folder: Path, stack: ExitStack, record: Record
    ) -> None:
        self._given = name, settings, folder, stack
        self._record = record

    def __call__(
        self, history: History, *, is_published: bool = True, guarantee: str = "exactly_once"
    ) -> Case:
        name, settings, folder, stack = self._given
        case = Case(name, settings, folder, history.expected, stack, guarantee, self._record)
        if is_published:
            case.publish(history.lines)
        return case


def pause(case: Case, seconds: float) -> None:
    """Let time go by, tending workers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        case.tend()
        time.sleep(0.1)
