"""A cluster of Apache Kafka on loopback ports, in a temporary folder."""

import atexit
import logging
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.kafka.node import KafkaNode
from tests.kafka.ports import HOST, free_ports
from tests.kafka.properties import Listener, node_properties

_CLUSTER_ID: Final = "TriggerEngineTestsAAAA"
_POLL_S: Final = 0.05
_quiet: Final = logging.getLogger(f"{__name__}.client")
_quiet.disabled = True


class KafkaCluster:
    """One or three brokers, there between ``start`` and ``close`` or inside ``with``.

    They are all gone when this process ends, however it ends. Each is in ``nodes`` and can be
    stopped, killed, frozen and started by itself; ``wait_until_ready`` then waits for all that
    run. ``settings`` go into every ``server.properties``, ``format_options`` to ``kafka-storage
    format``, ``java_options`` to each Java. Raises OSError with the brokers' last words when they
    do not come up.
    """

    def __init__(
        self,
        brokers: int = 1,
        *,
        listeners: Sequence[Listener] = (),
        settings: Mapping[str, str] | None = None,
        format_options: Sequence[str] = (),
        java_options: Sequence[str] = (),
        start_timeout_s: float = 120.0,
    ) -> None:
        self._count = brokers
        self._listeners = tuple(listeners)
        self._settings = dict(settings or {})
        self._format_options = tuple(format_options)
        self._java_options = tuple(java_options)
        self._start_timeout_s = start_timeout_s
        self._ports: dict[str, list[int]] = {}
        self._folder: Path | None = None
        self.nodes: tuple[KafkaNode, ...] = ()

    @property
    def bootstrap_servers(self) -> str:
        """``host:port[,host:port]...`` of the plain listeners, once started."""
        return self.servers("PLAIN")

    def servers(self, listener: str) -> str:
        """The same of another listener, by name, as clients are told to use it."""
        advertised = {each.name: each.advertised_ports for each in self._listeners}
        ports = advertised.get(listener) or self.ports(listener)
        return ",".join(f"{HOST}:{port}" for port in ports)

    def ports(self, listener: str) -> list[int]:
        """Where the brokers really listen."""
        if listener not in self._ports:
            raise OSError(f"no listener {listener}, or the cluster is not started")
        return self._ports[listener]

    @property
    def folder(self) -> Path:
        """Where everything is, once started."""
        if self._folder is None:
            raise OSError("the cluster has no folder: start it first")
        return self._folder

    def start(self) -> Self:
        """Return once all brokers answer. Does nothing when they already run.

        A controller that a busy machine kept waiting for too long gives up: there is a second try.
        """
        if self.nodes:
            return self
        try:
            self._start()
        except OSError:
            self._start()
        return self

    def _start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="trigger-kafka-"))
        atexit.register(self.close)
        try:
            self._format()
            for node in self.nodes:
                node.start()
            self.wait_until_ready()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Kill all brokers and remove the folder. Harmless when closed."""
        atexit.unregister(self.close)
        for node in self.nodes:
            node.kill()
        self.nodes = ()
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def wait_until_ready(self, timeout_s: float | None = None) -> None:
        """Until the brokers whose process runs, and no other, are the cluster's."""
        timeout_s = timeout_s or self._start_timeout_s
        wanted = {node.number for node in self.nodes if node.is_running}
        deadline = time.monotonic() + timeout_s
        config: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap_servers,
            "logger": _quiet,
            "error_cb": lambda _: None,
        }
        admin = AdminClient(config)
        found: set[int] = set()
        while time.monotonic() < deadline:
            with suppress(KafkaException):
                found = set(admin.list_topics(timeout=1.0).brokers)
                if found == wanted:
                    return
            if any(not node.is_running for node in self.nodes if node.number in wanted):
                break
            time.sleep(_POLL_S)
        words = "\n".join(f"broker {node.number}:\n{node.log}" for node in self.nodes)
        raise OSError(f"brokers {wanted} expected within {timeout_s:g} s, got {found}\n{words}")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _format(self) -> None:
        """Choose ports, write each node's properties and its empty storage."""
        names = ("PLAIN", "CONTROLLER", *(listener.name for listener in self._listeners))
        free = iter(free_ports(len(names) * self._count))
        self._ports = {name: [next(free) for _ in range(self._count)] for name in names}
        nodes = []
        for number, port in enumerate(self._ports["PLAIN"], start=1):
            folder = self.folder / f"broker-{number}"
            folder.mkdir()
            (folder / "server.properties").write_text(
                node_properties(number, folder, self._ports, self._listeners, self._settings)
            )
            nodes.append(KafkaNode(number, port, folder, self.folder, self._java_options))
        self.nodes = tuple(nodes)
        formats = [node.format(_CLUSTER_ID, self._format_options) for node in nodes]
        for node, process in zip(nodes, formats, strict=True):
            node.formatted(process)
