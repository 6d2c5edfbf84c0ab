"""The tests' own Apache Kafka: what it acknowledged is there, and nothing of it outlives a run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from app.kafka.clients import watermarks
from tests.kafka import jars
from tests.kafka.cluster import KafkaCluster
from tests.kafka.wanted import require_kafka

pytestmark = pytest.mark.soak
ROOT = Path(__file__).parents[2]
RECORDS = 500


@pytest.fixture(autouse=True)
def _kafka() -> None:
    require_kafka()


@pytest.fixture(scope="module", params=[1, 3])
def cluster(request: pytest.FixtureRequest) -> Iterator[KafkaCluster]:
    require_kafka()
    with KafkaCluster(request.param) as cluster:
        yield cluster


def create(cluster: KafkaCluster, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers})
    for future in admin.create_topics([NewTopic(topic, num_partitions=1)]).values():
        future.result(10)


def produce(cluster: KafkaCluster, topic: str) -> None:
    """Acknowledged, all of them."""
    producer = Producer({"bootstrap.servers": cluster.bootstrap_servers, "acks": "all"})
    for number in range(RECORDS):
        producer.produce(topic, b"%d" % number, partition=0)
    assert producer.flush(20) == 0


def end(cluster: KafkaCluster, topic: str) -> int:
    """The partition's end as its leader says."""
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap_servers, "group.id": "g"})
    deadline = time.monotonic() + 300
    try:
        while True:
            try:
                return watermarks(consumer, TopicPartition(topic, 0), 20)[1]
            except KafkaException as exc:
                # a leader that has just been elected does not know the end yet
                code = exc.args[0].code()
                if code != KafkaError.OFFSET_NOT_AVAILABLE or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)
    finally:
        consumer.close()


def test_a_kill_loses_nothing_that_was_acknowledged(cluster: KafkaCluster) -> None:
    """Each node killed in turn, and started again on its own port."""
    create(cluster, "killed")
    produce(cluster, "killed")
    ports = cluster.ports("PLAIN")
    for node in cluster.nodes:
        node.kill()
        assert not node.is_running
        node.start()
        cluster.wait_until_ready()
    assert cluster.ports("PLAIN") == ports
    assert end(cluster, "killed") == RECORDS


@pytest.mark.parametrize("cluster", [3], indirect=True)
def test_three_go_on_without_one(cluster: KafkaCluster) -> None:
    """Two of three are enough to take records and keep them."""
    create(cluster, "handed-over")
    cluster.nodes[1].stop()
    produce(cluster, "handed-over")
    cluster.nodes[1].start()
    cluster.wait_until_ready()
    assert end(cluster, "handed-over") == RECORDS


def test_a_frozen_broker_answers_once_it_is_thawed(cluster: KafkaCluster) -> None:
    """It keeps its connections and says nothing meanwhile."""
    create(cluster, "frozen")
    for node in cluster.nodes:
        node.freeze()
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers})
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=0.5)
    for node in cluster.nodes:
        node.thaw()
    produce(cluster, "frozen")
    assert end(cluster, "frozen") == RECORDS


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_starter(number: signal.Signals) -> None:
    """However the process that started it ends, no process and no folder of it stays."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.kafka"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline().startswith("127.0.0.1:")
        children = psutil.Process(starter.pid).children(recursive=True)
        (folder,) = {
            Path(word).parents[1]
            for child in children
            for word in child.cmdline()
            if word.endswith("server.properties")
        }
        assert folder.exists()
        starter.send_signal(number)
        starter.wait()
    psutil.wait_procs(children, timeout=3000)
    assert not any(child.is_running() for child in children)
    assert not folder.exists()


def test_a_jar_that_is_not_as_listed_is_refused(tmp_path: Path) -> None:
    """A changed, a missing and an additional file are all named; nothing goes on without."""
    genuine = Path(jars.classpath()).parent
    copies = tmp_path / "trigger-engine-tests" / genuine.name
    copies.mkdir(parents=True)
    for path in genuine.iterdir():
        os.link(path, copies / path.name)
    names = sorted(path.name for path in genuine.iterdir())
    (copies / names[0]).unlink()
    (copies / names[1]).unlink()
    (copies / names[1]).write_bytes(b"something else")
    (copies / "more.jar").write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-m", "tests.kafka"],
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert f"{names[0]}, {names[1]}, more.jar" in done.stderr


def test_without_java_or_maven_it_says_what_is_missing(tmp_path: Path) -> None:
    """On a machine that has neither, and with a cache that has nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.kafka"],
        env={"XDG_CACHE_HOME": str(tmp_path), "PATH": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert "no Maven: install it" in done.stderr
