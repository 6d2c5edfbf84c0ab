"""A worker that was away while others took over its partitions: nothing it does then counts.

On Apache Kafka only: the embedded broker takes offsets under any generation of the group.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from app.kafka.clients import admin_config
from tests.process.conftest import Instance
from tests.process.running import RunningWorker, Wire, wait_for
from tests.process.test_exactly_once import assert_once, publish_orders

pytestmark = [pytest.mark.soak, pytest.mark.parametrize("broker", ["kafka"], indirect=True)]

CUSTOMERS = 24
LONG, SHORT = "60s", "6s"


def members(wire: Wire) -> int:
    """How many workers the group has."""
    admin = AdminClient(admin_config(wire.settings))
    group = wire.settings.app_id
    with suppress(KafkaException):
        return len(admin.describe_consumer_groups([group])[group].result().members)
    return 0


def wait_until_quiet(worker: RunningWorker) -> None:
    """Until it has partitions, and nothing more to commit for them."""
    wait_for("a share", lambda: worker.metric("trigger_customers") > 0)
    seen, since = -1.0, time.monotonic()

    def is_quiet() -> bool:
        nonlocal seen, since
        before, seen = seen, worker.metric("trigger_transactions_total")
        if seen != before:
            since = time.monotonic()
        return time.monotonic() - since > 2.0

    wait_for("quiet", is_quiet)


@contextmanager
def zombie_and_successor(
    instance: Instance, folder: Path, at: str, timeout: str
) -> Iterator[tuple[RunningWorker, RunningWorker, list[str]]]:
    """Two workers, of which one stopped at a point of a transaction and was taken for dead.

    Orders of all customers are published then, one each.
    """
    wire = instance.wire
    ids = instance.customers(CUSTOMERS)
    paused = folder / "paused"
    common = {
        "TRIGGER_GUARANTEE": "exactly_once",
        "TRIGGER_SESSION_TIMEOUT": "6s",
        "TRIGGER_TRANSACTION_TIMEOUT": timeout,
        "TRIGGER_STANDBY_REPLICAS": "0",
    }

    def worker(name: str, **variables: str) -> RunningWorker:
        return instance.worker(
            TRIGGER_INSTANCE_ID=f"{wire.settings.app_id}-{name}",
            TRIGGER_DATA_DIR=str(folder / name),
            **common,
            **variables,
        )

    with worker("a", PAUSE_AT=at, PAUSE_WHEN=str(paused)) as zombie, worker("b") as successor:
        wait_for("both", lambda: members(wire) == 2)
        for each in (zombie, successor):
            wait_until_quiet(each)
        paused.touch()
        publish_orders(wire, ids)
        process = psutil.Process(zombie.process.pid)
        wait_for("pause", lambda: process.status() == psutil.STATUS_STOPPED)
        wait_for("taken for dead", lambda: members(wire) == 1)
        yield zombie, successor, ids


def wake(zombie: RunningWorker) -> None:
    """Let it go on as if nothing had happened."""
    zombie.process.send_signal(signal.SIGCONT)


def test_of_two_workers_with_one_instance_id_the_loser_says_so(
    instance: Instance, tmp_path: Path
) -> None:
    """Whichever ends names the setting, and both may; each order counts once all the same."""
    ids = instance.customers(CUSTOMERS)
    name = f"{instance.wire.settings.app_id}-same"

    def worker(folder: str) -> RunningWorker:
        return instance.worker(
            TRIGGER_INSTANCE_ID=name,
            TRIGGER_DATA_DIR=str(tmp_path / folder),
            TRIGGER_GUARANTEE="exactly_once",
        )

    with worker("a") as first:
        first.wait_until_ready()
        publish_orders(instance.wire, ids)
        assert_once(instance.wire, ids, 1)
        with worker("b") as second:
            both = (first, second)
            wait_for("a loser", lambda: any(each.process.poll() is not None for each in both))
    told = [line for line in first.log.splitlines() if "action=failed" in line]
    assert told
    for line in told:
        assert f"TRIGGER_INSTANCE_ID {name}" in line or "the same TRIGGER_INSTANCE_ID" in line
    with worker("a") as last:
        publish_orders(instance.wire, ids)
        assert_once(instance.wire, ids, 2)
        assert last.stop() == 0, last.log


@pytest.mark.parametrize("at", ["before 2", "before 5", "before 6"])
def test_what_a_zombie_does_after_others_went_on_is_not_visible(
    instance: Instance, tmp_path: Path, at: str
) -> None:
    """Before its transaction, in it, and with its offsets already in it: it is fenced and ends."""
    with zombie_and_successor(instance, tmp_path, at, SHORT) as (zombie, successor, ids):
        assert_once(instance.wire, ids, 1)
        wake(zombie)
        assert zombie.wait(30) == 1
        assert "a transaction is fenced" in zombie.log
        publish_orders(instance.wire, ids)
        assert_once(instance.wire, ids, 2)
        assert successor.stop() == 0, successor.log


def test_a_zombie_is_refused_by_its_generation(instance: Instance, tmp_path: Path) -> None:
    """Its transaction is still open and its own: only that it lost its partitions is against it.

    Until it has ended, its successor waits.
    """
    with zombie_and_successor(instance, tmp_path, "before 5", LONG) as (zombie, successor, ids):
        wake(zombie)
        assert zombie.wait(30) == 1
        assert "a transaction is fenced" in zombie.log
        assert_once(instance.wire, ids, 1)
        assert successor.stop() == 0, successor.log


def test_a_successor_waits_for_a_commit_that_may_still_come(
    instance: Instance, tmp_path: Path
) -> None:
    """The offsets of the stopped worker were accepted in time: its late commit holds, once, and
    what it did to the customers is known to who comes after it.
    """
    with zombie_and_successor(instance, tmp_path, "before 6", LONG) as (zombie, successor, ids):
        with pytest.raises(AssertionError, match="orders of the zombie"):
            wait_for(
                "orders of the zombie",
                lambda: successor.metric("trigger_events_total", topic="orders") == CUSTOMERS,
                deadline_s=8.0,
            )
        wake(zombie)
        assert_once(instance.wire, ids, 1)
        for _ in range(2):
            publish_orders(instance.wire, ids)
        assert_once(instance.wire, ids, 3)
        assert successor.stop() == 0, successor.log
