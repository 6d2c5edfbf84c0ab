"""Several workers on twelve partitions of Apache Kafka: they join, leave and die."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count, pairwise
from pathlib import Path

import pytest

from app.core.time.instants import parse_rfc3339
from app.kafka.partitioning import partition_for
from app.settings.load import load_settings
from app.settings.model import Settings
from tests.kafka.cluster import KafkaCluster
from tests.kafka.wanted import require_kafka
from tests.process.conftest import Instance
from tests.process.fleet import CUSTOMERS, PARTITIONS, Fleet
from tests.process.running import RunningWorker, wait_for

pytestmark = pytest.mark.soak
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


RATES = """\
version: 1
channels: {email: {requires: email}}
throttle: {rate: [{limit: 60, per: 1m, channel: email}]}
triggers:
  hello: {kind: event, on: [subscribed], template: hello, channels: [email], expires: 1d}
"""
#: A partition's share is five a minute.
SPACE_MS = 12_000


def test_a_send_rate_holds_over_workers_that_die(fleet: Fleet, tmp_path: Path) -> None:
    """Each step goes in a slot of its own, in the partitions that change hands, too."""
    (tmp_path / "rules.yaml").write_text(RATES)
    for name in "abc":
        fleet.start(name, is_static=False)
    fleet.wait_until_shared()
    subscribers = fleet.ids[:36]
    for customer_id in subscribers:
        fleet.wire.event("orders", customer_id, "subscribed", {})
    fleet.wire.flush()
    wait_for("the first sends", lambda: len(fleet.wire.values("dispatch")) >= PARTITIONS)
    fleet.kill("b")
    fleet.wait_until_shared()

    def sent() -> set[str]:
        return {each["customer_id"] for each in fleet.wire.values("dispatch")}

    wait_for("all sends", lambda: sent() == set(subscribers))
    slots: dict[int, dict[int, str]] = {}
    last: dict[str, int] = {}
    for made in fleet.wire.values("decisions"):
        if made["outcome"] == "defer":
            last[made["request_id"]] = parse_rfc3339(made["next_eligible_at"])
        elif made["outcome"] == "send":
            at_ms = parse_rfc3339(made["decided_at"])
            slot_ms = last.get(made["request_id"], at_ms)
            assert slot_ms <= at_ms < slot_ms + SPACE_MS
            partition = partition_for(made["customer_id"].encode(), PARTITIONS)
            used = slots.setdefault(partition, {}).setdefault(slot_ms, made["request_id"])
            assert used == made["request_id"]
    for used_slots in slots.values():
        assert all(b - a >= SPACE_MS for a, b in pairwise(sorted(used_slots)))
