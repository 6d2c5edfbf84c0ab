"""What a node of a test cluster is configured with: small, and quick to notice a failure."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from tests.kafka.ports import HOST


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """One more listener on every broker, beside the plain one."""

    #: capitals, e.g. ``SECURE``
    name: str
    protocol: str = "PLAINTEXT"
    #: of the listener alone, without the ``listener.name.x.`` before them
    settings: Mapping[str, str] = {}
    #: what clients are told to connect to, broker by broker; None: where it listens
    advertised_ports: tuple[int, ...] | None = None


def node_properties(
    number: int,
    folder: Path,
    ports: Mapping[str, Sequence[int]],
    listeners: Sequence[Listener],
    extra: Mapping[str, str],
) -> str:
    """The ``server.properties`` of node ``number`` (from 1).

    ``ports`` has each listener's, node by node: of ``PLAIN`` (clients, and between brokers) and
    ``CONTROLLER`` and of all ``listeners``.
    """
    nodes = len(ports["PLAIN"])
    at = number - 1
    copies = str(min(3, nodes))
    in_sync = str(min(2, nodes))
    advertised = {"PLAIN": ports["PLAIN"][at]}
    protocols = {"PLAIN": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
    own: dict[str, str] = {}
    for listener in listeners:
        advertised[listener.name] = (listener.advertised_ports or ports[listener.name])[at]
        protocols[listener.name] = listener.protocol
        for name, value in listener.settings.items():
            own[f"listener.name.{listener.name.lower()}.{name}"] = value
    properties = {
        "process.roles": "broker,controller",
        "node.id": str(number),
        "controller.quorum.voters": ",".join(
            f"{each}@{HOST}:{port}" for each, port in enumerate(ports["CONTROLLER"], start=1)
        ),
        "listeners": ",".join(f"{name}://{HOST}:{each[at]}" for name, each in ports.items()),
        "advertised.listeners": ",".join(
            f"{name}://{HOST}:{port}" for name, port in advertised.items()
        ),
        "listener.security.protocol.map": ",".join(
            f"{name}:{protocol}" for name, protocol in protocols.items()
        ),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAIN",
        "log.dirs": str(folder / "data"),
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "500",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
        "broker.heartbeat.interval.ms": "500",
        "broker.session.timeout.ms": "3000",
        "log.cleaner.backoff.ms": "1000",
        **own,
        **extra,
    }
    return "".join(f"{name}={_escaped(value)}\n" for name, value in properties.items())


def _escaped(value: str) -> str:
    """As Java reads a properties file: backslashes and line ends are not what they seem."""
    return value.replace("\\", "\\\\").replace("\n", "\\n")
