"""One broker of each kind for all cases here; each case has topics of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from app.kafka import topics
from app.kafka.embedded_broker import EmbeddedBroker
from app.settings.load import load_settings
from app.settings.model import Settings
from tests.fault import table
from tests.fault.budget import PARTITIONS
from tests.fault.case import CaseOf
from tests.fault.network_cut import NetworkCut
from tests.kafka.cluster import KafkaCluster
from tests.kafka.ports import free_ports
from tests.kafka.properties import Listener
from tests.kafka.wanted import require_kafka

_numbers = count(1)


@pytest.fixture(scope="session")
def cut_port() -> int:
    """Where those connect to Kafka whose network can be cut."""
    return free_ports(1)[0]


@pytest.fixture(scope="session")
def _kafka(cut_port: int) -> Iterator[KafkaCluster]:
    require_kafka()
    listener = Listener(name="CUT", advertised_ports=(cut_port,))
    with KafkaCluster(listeners=[listener]) as kafka:
        yield kafka


@pytest.fixture
def network(kafka: KafkaCluster, cut_port: int) -> Iterator[NetworkCut]:
    """Between Kafka and whoever connects by way of it."""
    with NetworkCut(cut_port, kafka.ports("CUT")[0]) as network:
        yield network


@pytest.fixture
def kafka(_kafka: KafkaCluster) -> KafkaCluster:
    """Apache Kafka, which may be killed: it is there again for the next case."""
    for node in _kafka.nodes:
        node.start()
    _kafka.wait_until_ready()
    return _kafka


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Iterator[EmbeddedBroker | KafkaCluster]:
    """Of the kind that the case asks for; one of its own when it is an embedded one, because that
    bears few records.
    """
    if getattr(request, "param", "kafka") == "embedded":
        with EmbeddedBroker() as embedded:
            yield embedded
    else:
        yield request.getfixturevalue("kafka")


@pytest.fixture
def settings(broker: EmbeddedBroker | KafkaCluster) -> Settings:
    """Settings for topics that no other case uses."""
    number = next(_numbers)
    return load_settings(
        {
            "TRIGGER_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "TRIGGER_TOPIC_PREFIX": f"f{number}.",
            "TRIGGER_APP_ID": f"f{number}",
            "TRIGGER_PARTITIONS": str(PARTITIONS),
            "TRIGGER_CLOCK": "records",
            "TRIGGER_REPLICATION_FACTOR": str(len(getattr(broker, "nodes", "1"))),
        }
    )


@pytest.fixture
def case_of(
    request: pytest.FixtureRequest,
    broker: EmbeddedBroker | KafkaCluster,
    settings: Settings,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> Iterator[CaseOf]:
    """Makes the test's case; its workers and its observer end with the test."""
    assert topics.create(settings).findings == ()
    with ExitStack() as stack:
        name = request.node.name.removeprefix("test_")
        record = partial(record_property, table.PROPERTY)
        yield CaseOf(name, settings, tmp_path, stack, record)
