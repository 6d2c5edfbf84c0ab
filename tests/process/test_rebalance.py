"""Several workers on twelve partitions of Apache Kafka: they join, leave and die."""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from app.settings.load import load_settings
from app.settings.model import Settings
from tests.kafka.cluster import KafkaCluster
from tests.kafka.wanted import require_kafka
from tests.process.conftest import Instance
from tests.process.running import DEADLINE_S, RunningWorker, wait_for

pytestmark = pytest.mark.soak
PARTITIONS = 12
CUSTOMERS = 120
SESSION_S = 6.0
RETURNS = 20
_numbers = count(1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    """One broker for all tests here."""
    require_kafka()
    with KafkaCluster(1) as cluster:
        yield cluster


@pytest.fixture
def settings(cluster: KafkaCluster) -> Settings:
    number = next(_numbers)
    return load_settings(
        {
            "TRIGGER_BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
            "TRIGGER_TOPIC_PREFIX": f"r{number}.",
            "TRIGGER_APP_ID": f"r{number}",
            "TRIGGER_PARTITIONS": str(PARTITIONS),
        }
    )


class Fleet:
    """Workers of one engine by name, each with a folder of its own, and a publisher."""

    def __init__(self, instance: Instance, folder: Path, stack: ExitStack) -> None:
        self.instance = instance
        self.wire = instance.wire
        self._folder = folder
        self._stack = stack
        self.workers: dict[str, RunningWorker] = {}
        self.ids = instance.customers(CUSTOMERS)
        self.orders: Counter[str] = Counter()
        self._is_publishing = threading.Event()

    def data_dir(self, name: str) -> Path:
        return self._folder / f"data-{name}"

    def start(
        self,
        name: str,
        *,
        is_static: bool = True,
        session_s: float = SESSION_S,
        standbys: int = 1,
    ) -> RunningWorker:
        """A worker; it takes up the name's files."""
        more = {
            "TRIGGER_DATA_DIR": str(self.data_dir(name)),
            "TRIGGER_INSTANCE_ID": f"worker-{name}" if is_static else "",
            "TRIGGER_SESSION_TIMEOUT": f"{session_s:g}s",
            "TRIGGER_STANDBY_REPLICAS": str(standbys),
        }
        more["TRIGGER_RULES"] = str(self._folder / "rules.yaml")
        log = self._folder / f"{name}.log"
        worker = self._stack.enter_context(RunningWorker(self.wire.settings, log, more))
        self.workers[name] = worker
        return worker

    def stop(self, name: str) -> None:
        worker = self.workers.pop(name)
        assert worker.stop(20.0) == 0, worker.log

    def kill(self, name: str) -> None:
        self.workers.pop(name).kill()

    def owned(self) -> dict[str, set[int]]:
        """Which partitions each worker says it works on."""
        return {name: partitions(worker) for name, worker in self.workers.items()}

    def wait_until_shared(self, deadline_s: float = DEADLINE_S) -> None:
        """Until every partition has one owner, and shares differ by one at most."""

        def is_shared() -> bool:
            owned = self.owned()
            sizes = [len(each) for each in owned.values()]
            is_ready = all(each.get("/ready")[0] == 200 for each in self.workers.values())
            return (
                is_ready
                and sum(sizes) == PARTITIONS == len(set().union(*owned.values()))
                and max(sizes) - min(sizes) <= 1
            )

        try:
            wait_for("a share for each", is_shared, deadline_s)
        except AssertionError:
            ready = {name: each.get("/ready") for name, each in self.workers.items()}
            raise AssertionError(f"owned {self.owned()}, ready {ready}") from None

    def publish(self, orders: int, pause_s: float = 0.0) -> None:
        """Orders of all customers in turn."""
        for _ in range(orders):
            customer_id = self.ids[sum(self.orders.values()) % CUSTOMERS]
            self.wire.event("orders", customer_id, "order_placed", {"value": 1})
            self.orders[customer_id] += 1
            if pause_s:
                time.sleep(pause_s)
        self.wire.flush()

    def publishing(self) -> "threading.Thread":
        """Orders at about 300 a second, until ``hush``."""
        self._is_publishing.set()

        def run() -> None:
            while self._is_publishing.is_set():
                self.publish(30, 0.003)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def hush(self, thread: threading.Thread) -> None:
        self._is_publishing.clear()
        thread.join()

    def requests(self) -> list[dict[str, Any]]:
        """All of them, once each order that was published has one."""
        expected = sum(self.orders.values()) + sum(n // 3 for n in self.orders.values())

        def enough() -> bool:
            return len({each["request_id"] for each in self.wire.values("dispatch")}) >= expected

        try:
            wait_for("all requests", enough)
        except AssertionError:
            verdicts = Counter(
                (each["outcome"], each["reason"]) for each in self.wire.values("decisions")
            )
            unread = self.wire.committed()
            found = len({each["request_id"] for each in self.wire.values("dispatch")})
            raise AssertionError(
                f"{found} of {expected} requests; {verdicts}; committed {unread}"
                f" of {sum(self.orders.values())} orders"
            ) from None
        requests = self.wire.values("dispatch")
        by_id = {each["request_id"]: each for each in requests}
        kinds = Counter((each["customer_id"], each["trigger"]) for each in by_id.values())
        wanted = Counter({(id, "order_placed"): n for id, n in self.orders.items()})
        wanted += Counter({(id, "third_order"): n // 3 for id, n in self.orders.items()})
        assert kinds == wanted
        return requests


def partitions(worker: RunningWorker) -> set[int]:
    """The partition numbers a worker's metrics speak of."""
    lines = worker.get("/metrics")[1].splitlines()
    return {
        int(line.split('"')[1]) for line in lines if line.startswith("trigger_customers{partition=")
    }


@pytest.fixture
def fleet(instance: Instance, tmp_path: Path) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(instance, tmp_path, stack)


def test_workers_join_leave_and_die(fleet: Fleet) -> None:
    """One to four and back while orders flow: each counts once, each partition has one owner."""
    fleet.start("a", is_static=False)
    fleet.wait_until_shared()
    thread = fleet.publishing()
    try:
        fleet.start("b", is_static=False)
        fleet.wait_until_shared()
        fleet.start("c", is_static=False)
        fleet.start("d", is_static=False)
        fleet.wait_until_shared()
        fleet.stop("b")
        fleet.wait_until_shared()
        fleet.kill("a")
        fleet.wait_until_shared()
    finally:
        fleet.hush(thread)
    fleet.requests()


def test_partitions_leave_and_come_back_twenty_times(fleet: Fleet) -> None:
    """Without standbys their databases are closed and opened again by one process."""
    stays = fleet.start("a", is_static=False, standbys=0)
    fleet.wait_until_shared()
    thread = fleet.publishing()
    try:
        for _ in range(RETURNS):
            fleet.start("b", is_static=False, standbys=0)
            fleet.wait_until_shared()
            fleet.stop("b")
            fleet.wait_until_shared()
    finally:
        fleet.hush(thread)
    assert stays.get("/live")[0] == 200
    fleet.requests()


def test_a_rolling_restart_loses_nothing_and_repeats_nothing(fleet: Fleet) -> None:
    """Each worker in turn, under its instance id and with its files: no partition moves."""
    for name in "abc":
        fleet.start(name, session_s=30.0)
    fleet.wait_until_shared()
    owned = fleet.owned()
    thread = fleet.publishing()
    try:
        for name in "abc":
            fleet.stop(name)
            worker = fleet.start(name, session_s=30.0)
            fleet.wait_until_shared()
            assert read_back(worker) < PARTITIONS
            assert fleet.owned() == owned
    finally:
        fleet.hush(thread)
    requests = fleet.requests()
    assert len({each["request_id"] for each in requests}) == len(requests)


def read_back(worker: RunningWorker) -> float:
    """Changelog entries that the worker had to read to have its partitions."""
    return worker.metric("trigger_changelog_applied_records_total", role="active")


def test_a_standby_takes_over_with_what_it_has(fleet: Fleet) -> None:
    """Of a worker that died with its disk nothing is read from the changelog again."""
    fleet.start("a")
    fleet.start("b")
    fleet.wait_until_shared()
    fleet.publish(1200)
    fleet.requests()
    wait_for("standbys", lambda: fleet.workers["b"].metric("trigger_standby_lag_records") == 0)
    before = read_back(fleet.workers["b"])
    fleet.kill("a")
    shutil.rmtree(fleet.data_dir("a"))
    fleet.wait_until_shared()
    assert read_back(fleet.workers["b"]) - before <= PARTITIONS
    assert fleet.workers["b"].metric("trigger_customers") == CUSTOMERS
    fleet.publish(CUSTOMERS)
    fleet.requests()
    fleet.start("a")
    fleet.wait_until_shared()
    fleet.publish(CUSTOMERS)
    fleet.requests()
