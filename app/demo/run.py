"""The demo from start to end; whatever happens, nothing of it stays."""

import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import orjson
from rich.console import Console
from ruamel.yaml import YAML

from app.core.errors import InfrastructureError
from app.demo.audience import react
from app.demo.cluster import Cluster, embedded_cluster, own_cluster
from app.demo.customers import Person, make_people, registrations
from app.demo.feed import Publisher, Reader
from app.demo.moment import next_moment_ms
from app.demo.rules import shorten
from app.demo.show import Show, open_show
from app.demo.story import tell
from app.demo.summary import Facts, summary_text
from app.demo.tally import Tally
from app.demo.words import line_of
from app.demo.worker import WorkerProcess
from app.kafka import topics
from app.rules_file.load import RulesError, find_problems, load_rules
from app.settings.load import load_settings
from app.settings.model import default_rules_path

CUSTOMERS: Final = 220
_PARTITIONS: Final = 2
#: until the worker reads, with time to spare: profiles must be known before the moment comes
_START_UP_MS: Final = 20_000
_READY_TIMEOUT_S: Final = 45.0
#: after the story: for the timers that are due by then
_SETTLE_S: Final = 4.0
#: after the worker has stopped
_DRAIN_S: Final = 0.3
_FRAME_S: Final = 0.1
_CHECK_S: Final = 1.0
_HOST: Final = "127.0.0.1"
_USUAL_WEB_PORT: Final = 6066


class StopRequested(InfrastructureError):
    """The demo was told to stop (SIGTERM)."""


def run_demo(
    console: Console, *, seconds: float, seed: int, kafka: str | None = None, is_plain: bool = False
) -> None:
    """Run the demo for ``seconds`` and some for start and stop.

    ``kafka``: host:port of a cluster to use in place of an embedded broker. ``is_plain``: lines,
    also on a terminal. Raises InfrastructureError when the broker or the worker fails, or on
    SIGTERM, and ConfigError when the broker is not installed. When this returns or raises,
    KeyboardInterrupt included, no process, no folder and no topic of it is left.
    """
    with ExitStack() as stack:
        stack.enter_context(_sigterm_raises())
        if kafka is None:
            console.print("starting an embedded Kafka broker and a worker ...", highlight=False)
            cluster = stack.enter_context(embedded_cluster())
        else:
            cluster = own_cluster(kafka)
            console.print(f"starting a worker {cluster.introduction}", highlight=False)
        folder = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="trigger-demo-", ignore_cleanup_errors=True)
            )
        )
        moment_ms = next_moment_ms(_now_ms(), _START_UP_MS)
        rules_path = _write_rules(folder, moment_ms)
        web_port = _free_web_port()
        variables = {
            **cluster.variables,
            "TRIGGER_PARTITIONS": str(_PARTITIONS),
            "TRIGGER_DATA_DIR": str(folder / "state"),
            "TRIGGER_RULES": str(rules_path),
            "TRIGGER_GRACE": "1s",
            "TRIGGER_WEB_PORT": str(web_port),
        }
        settings = load_settings(variables)
        if remark := cluster.prepare(settings):
            console.print(remark, highlight=False, soft_wrap=True)
        stack.callback(cluster.clean_up, settings)
        topics.create(settings)
        worker = WorkerProcess(variables, folder, web_port)
        stack.callback(worker.stop)
        people = make_people(seed, CUSTOMERS, moment_ms)
        reader = stack.enter_context(closing(Reader(settings)))
        publisher = stack.enter_context(closing(Publisher(settings)))
        publisher.add(registrations(people, _now_ms()))
        publisher.publish_due(_now_ms())
        worker.wait_until_ready(_READY_TIMEOUT_S)
        show = partial(open_show, console, is_plain=is_plain)
        _Performance(console, show, cluster, worker, publisher, reader, people, seed).play(seconds)


class _Performance:
    """The part that is watched."""

    def __init__(
        self,
        console: Console,
        show: Callable[[int, str], Show],
        cluster: Cluster,
        worker: WorkerProcess,
        publisher: Publisher,
        reader: Reader,
        people: list[Person],
        seed: int,
    ) -> None:
        self._console = console
        self._show = show
        self._cluster = cluster
        self._worker = worker
        self._publisher = publisher
        self._reader = reader
        self._seed = seed
        self._people = people
        self._names = {person.customer_id: person.name for person in people}
        self._tally = Tally()

    def play(self, seconds: float) -> None:
        """Publish, read and show; then stop the worker and sum up."""
        start_ms = _now_ms()
        self._publisher.add(tell(self._people, self._seed, start_ms, seconds))
        url = self._worker.metrics_url
        with closing(self._show(start_ms, url)) as show:
            show.note(f"ready: for {seconds:g} s, metrics at {url}, Ctrl-C stops it")
            self._run_until(start_ms + round(seconds * 1000), start_ms, show, is_open=True)
            self._run_until(_now_ms() + round(_SETTLE_S * 1000), start_ms, show, is_open=False)
            duplicates = self._duplicates()
            self._worker.stop()
            self._take(_DRAIN_S, show, is_open=False)
            show.tick((_now_ms() - start_ms) / 1000, self._publisher.published, self._tally)
        facts = Facts(
            customers=len(self._people),
            published=self._publisher.published,
            duplicates=duplicates,
            seconds=seconds,
            metrics_url=url,
            rules_path=str(default_rules_path()),
        )
        self._console.print(
            summary_text(self._tally, facts), markup=False, highlight=False, soft_wrap=True
        )

    def _run_until(self, end_ms: int, start_ms: int, show: Show, *, is_open: bool) -> None:
        """Go on until then; people act and answer while the shop ``is_open``."""
        next_check_s = time.monotonic()
        while (now_ms := _now_ms()) < end_ms:
            if is_open:
                self._publisher.publish_due(now_ms)
            self._take(_FRAME_S, show, is_open=is_open)
            show.tick((now_ms - start_ms) / 1000, self._publisher.published, self._tally)
            if time.monotonic() >= next_check_s:
                next_check_s += _CHECK_S
                self._check()

    def _take(self, timeout_s: float, show: Show, *, is_open: bool) -> None:
        for topic, value in self._reader.read(timeout_s):
            if topic == "dead-letters":
                self._tally.dead_letters += 1
                continue
            record: Mapping[str, Any] = orjson.loads(value or b"{}")
            if topic == "outcomes":
                self._tally.take_outcome(record)
            elif topic == "decisions":
                self._tally.take_decision(record)
                customer_id = record["customer_id"]
                show.decision(line_of(record, self._names.get(customer_id, customer_id)))
            elif self._tally.take_request(record) and is_open:
                self._publisher.add(react(record, self._seed, _now_ms()))

    def _check(self) -> None:
        """Raises InfrastructureError when one of the two processes is not there any more."""
        self._cluster.check()
        self._worker.check()

    def _duplicates(self) -> int | None:
        try:
            return round(self._worker.measure("trigger_duplicates_total"))
        except (OSError, ValueError):
            return None


def _write_rules(folder: Path, moment_ms: int) -> Path:
    """The demo's rules in a file of their own, checked like everybody's."""
    path = default_rules_path()
    document = shorten(load_rules(path).document, moment_ms=moment_ms)
    problems = find_problems(document)
    if problems:
        raise RulesError(f"{path}, shortened", problems)
    target = folder / "rules.yaml"
    with target.open("wb") as file:
        YAML(typ="safe", pure=True).dump(document, file)
    return target


def _free_web_port() -> int:
    """The worker's usual port, or any that is free."""
    for port in (_USUAL_WEB_PORT, 0):
        with socket.socket() as sock:
            try:
                sock.bind((_HOST, port))
            except OSError:
                continue
            free: int = sock.getsockname()[1]
            return free
    raise InfrastructureError("no port is free on this machine")


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """SIGTERM ends the demo the way an error does, with everything put away."""

    def stop(_: int, __: FrameType | None) -> None:
        raise StopRequested("the demo was told to stop (SIGTERM)")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
