"""The broker of a comparison, and what is on it between two runs: nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, Protocol

from app.core.errors import ConfigError
from app.kafka.clients import Admin
from app.kafka.embedded_broker import EmbeddedBroker
from app.settings.model import Settings
from tests.kafka.cluster import KafkaCluster
from tests.kafka.jars import why_missing

Kind = Literal["embedded", "kafka"]

#: Tests start brokers that live for seconds; this one has work to do.
_JAVA_OPTIONS: Final = ("-Xmx2g", "-XX:TieredStopAtLevel=4")


class Broker(Protocol):
    """Where a run takes place."""

    @property
    def bootstrap_servers(self) -> str: ...

    def clear(self, settings: Settings) -> None:
        """Remove everything that the run with these settings has left."""


class _Embedded:
    """All in memory, and limited in what it holds: emptied by a restart."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self._broker = broker

    @property
    def bootstrap_servers(self) -> str:
        return self._broker.bootstrap_servers

    def clear(self, settings: Settings) -> None:
        self._broker.stop()
        self._broker.start()


class _Kafka:
    """One broker of Apache Kafka, on disk."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self.bootstrap_servers = cluster.bootstrap_servers

    def clear(self, settings: Settings) -> None:
        admin = Admin(settings)
        topics = admin.list_topics(timeout=30.0).topics
        gone = [topic for topic in topics if settings.app_id in topic]
        for future in admin.delete_topics(gone, request_timeout=30.0).values():
            future.result()


@contextmanager
def started(kind: Kind) -> Iterator[Broker]:
    """The broker inside ``with``. Raises ConfigError when this machine has none of the kind."""
    if kind == "embedded":
        with EmbeddedBroker() as embedded:
            yield _Embedded(embedded)
        return
    missing = why_missing()
    if missing:
        raise ConfigError(f"no Apache Kafka here: {missing}; --broker embedded needs none")
    with KafkaCluster(1, java_options=_JAVA_OPTIONS) as cluster:
        yield _Kafka(cluster)
