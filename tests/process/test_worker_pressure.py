"""A worker whose surroundings do not keep up: its broker is gone or slow, its disk is full."""

import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from os import geteuid
from pathlib import Path
from typing import Final

import psutil
import pytest

from tests.kafka.cluster import KafkaCluster
from tests.kafka.ports import free_ports
from tests.kafka.properties import Listener
from tests.kafka.wanted import require_kafka
from tests.needs import skip_without
from tests.process.conftest import Instance
from tests.process.running import DEADLINE_S, RunningWorker, wait_for
from tests.process.slow_network import slow_network
from tests.process.test_worker_broker import committed

pytestmark = pytest.mark.soak
_MIB: Final = 1 << 20
_SLOW_PORT: Final = free_ports(1)[0]
#: Gone, in the issue's words, for a minute.
_GONE_S: Final = 60.0
_FULL: Final = re.compile("the volume of .* is full: make room on it, or enlarge it")


@pytest.fixture(scope="module")
def _cluster() -> Iterator[KafkaCluster]:
    require_kafka()
    with KafkaCluster(listeners=[Listener(name="SLOW", advertised_ports=(_SLOW_PORT,))]) as cluster:
        yield cluster


@pytest.fixture
def broker(_cluster: KafkaCluster) -> KafkaCluster:
    """A broker that may be killed; it is there again for the next test."""
    _cluster.nodes[0].start()
    _cluster.wait_until_ready()
    return _cluster


def order(instance: Instance, ids: list[str], count: int) -> None:
    for number in range(count):
        instance.wire.event("orders", ids[number % len(ids)], "order_placed", {"value": 1})
    instance.wire.flush()


def applied(worker: RunningWorker) -> float:
    return worker.metric("trigger_events_total", topic="orders", outcome="applied")


def resident_mib(worker: RunningWorker) -> float:
    return psutil.Process(worker.process.pid).memory_info().rss / _MIB


def test_a_minute_without_a_broker_is_sat_out(instance: Instance, broker: KafkaCluster) -> None:
    """Nothing is in progress: the worker waits, says what it waits for and goes on by itself."""
    ids = instance.customers(10)
    with instance.worker() as worker:
        worker.wait_until_ready()
        order(instance, ids, 1000)
        instance.wire.wait_for_values("dispatch", 1000)
        before_mib, said = resident_mib(worker), len(worker.log)
        broker.nodes[0].kill()
        time.sleep(_GONE_S)
        assert worker.process.poll() is None, worker.log
        assert resident_mib(worker) - before_mib < 50
        meanwhile = worker.log[said:]
        assert "Kafka does not answer: timers wait, nothing is lost" in meanwhile
        assert "Connection refused" in meanwhile
        assert len(meanwhile.splitlines()) < 2 * _GONE_S, meanwhile
        broker.nodes[0].start()
        broker.wait_until_ready()
        order(instance, ids, 500)
        wait_for("word", lambda: "Kafka answers again" in worker.log)
        wait_for(f"the rest\n{worker.log}", lambda: applied(worker) >= 1500)
        assert worker.stop() == 0, worker.log
    counts = Counter(each["trigger"] for each in instance.wire.values("dispatch"))
    assert counts == {"order_placed": 1500, "third_order": 500}


@pytest.mark.parametrize("away_s", [10.0, 30.0, 60.0])
def test_a_broker_that_dies_under_load_is_waited_for(
    instance: Instance, broker: KafkaCluster, away_s: float
) -> None:
    """The transaction in progress is made again, or ended as the broker ended it; the worker lives
    on, and each order counts once.
    """
    ids = instance.customers(30)
    with instance.worker(TRIGGER_MAX_POLL_RECORDS="500") as worker:
        worker.wait_until_ready()
        order(instance, ids, 14_400)
        wait_for("some", lambda: applied(worker) > 500)
        before_mib = resident_mib(worker)
        broker.nodes[0].kill()
        end, most_mib = time.monotonic() + away_s, 0.0
        while time.monotonic() < end:
            assert worker.process.poll() is None, worker.log
            most_mib = max(most_mib, resident_mib(worker))
            time.sleep(0.5)
        broker.nodes[0].start()
        broker.wait_until_ready()
        wait_for(f"all\n{worker.log}", lambda: committed(instance.wire) >= 14_400)
        assert most_mib - before_mib < 100
        assert worker.stop() == 0, worker.log
    counts = Counter(each["trigger"] for each in instance.wire.values("dispatch"))
    assert counts == {"order_placed": 14_400, "third_order": 4_800}


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Path]:
    """A folder with 64 MiB."""
    folder = tmp_path / "volume"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if geteuid() or subprocess.run(mount, check=False).returncode:
        skip_without("root", "no right to mount a small volume")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_the_worker_until_there_is_room(
    instance: Instance, broker: KafkaCluster, small_volume: Path
) -> None:
    """It says what to do, at the next start too; with room it goes on, each order counted once."""
    ids = instance.customers(300)
    variables = {"TRIGGER_DATA_DIR": str(small_volume / "data")}
    filler = small_volume / "filler"
    with instance.worker(**variables) as worker:
        worker.wait_until_ready()
        order(instance, ids, 900)
        wait_for("some", lambda: applied(worker) >= 900)
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        order(instance, ids, 2_700)
        assert worker.wait() == 1
        assert _FULL.search(worker.log), worker.log
    with instance.worker(**variables) as worker:
        assert worker.wait() == 1
        assert _FULL.search(worker.log), worker.log
    filler.unlink()
    with instance.worker(**variables) as worker:
        wait_for(f"all\n{worker.log}", lambda: committed(instance.wire) >= 3_600)
        assert worker.stop() == 0, worker.log
    counts = Counter(each["trigger"] for each in instance.wire.values("dispatch"))
    assert counts == {"order_placed": 3_600, "third_order": 1_200}


def test_a_slow_broker_slows_the_worker_and_no_more(
    instance: Instance, broker: KafkaCluster
) -> None:
    """Units are committed, buffers stay bounded, and the worker stays in its group."""
    ids = instance.customers(30)
    with (
        slow_network(_SLOW_PORT, broker.ports("SLOW")[0], 100_000),
        instance.worker(
            TRIGGER_BOOTSTRAP_SERVERS=broker.servers("SLOW"), TRIGGER_MAX_POLL_RECORDS="500"
        ) as worker,
    ):
        worker.wait_until_ready()
        before_mib = resident_mib(worker)
        order(instance, ids, 28_800)
        most_mib = most_waiting = 0.0
        stand, since = 0.0, time.monotonic()
        while stand < 28_800:
            most_mib = max(most_mib, resident_mib(worker))
            most_waiting = max(most_waiting, worker.metric("trigger_buffered_records"))
            if applied(worker) > stand:
                stand, since = applied(worker), time.monotonic()
            assert time.monotonic() - since < DEADLINE_S, worker.log
            time.sleep(0.2)
        # 60 to 75 MiB are seen: thirty records of 512 sends each, and what they are encoded to
        assert most_mib - before_mib < 120
        # a fetch may bring as much again as may wait before another is asked for
        assert most_waiting <= instance.wire.partitions * 2 * 4 * 500
        assert worker.log.count("partitions assigned") == 1
        assert worker.metric("trigger_transactions_total") == worker.metric(
            "trigger_transactions_total", outcome="committed"
        )
        assert worker.stop() == 0, worker.log
    counts = Counter(each["trigger"] for each in instance.wire.values("dispatch"))
    assert counts == {"order_placed": 28_800, "third_order": 9_600}
