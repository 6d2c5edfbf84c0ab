"""One node of a cluster: broker and controller in one Java process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import app.kafka.embedded_guard as guard_module
from tests.kafka import jars

_GUARD: Final = Path(guard_module.__file__)
_FORMAT_TIMEOUT_S: Final = 60.0
_LOG_LINES: Final = 15
#: Started often and busy little: quick to start counts.
_JAVA_OPTIONS: Final = (
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.net.preferIPv4Stack=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
)


class KafkaNode:
    """A broker that can be started, stopped, killed and frozen, always on its data and ports.

    It dies with this process, and with it goes ``cluster_folder``.
    """

    def __init__(
        self,
        number: int,
        port: int,
        folder: Path,
        cluster_folder: Path,
        java_options: tuple[str, ...] = (),
    ) -> None:
        self.number = number
        #: of the listener that ``bootstrap_servers`` names
        self.port = port
        #: its data, its ``server.properties`` and its ``broker.log``
        self.folder = folder
        self._cluster_folder = cluster_folder
        self._java_options = java_options
        self._guard: subprocess.Popen[str] | None = None
        self._pid = 0

    @property
    def is_running(self) -> bool:
        """Whether its process is there, frozen or not."""
        return self._guard is not None and self._guard.poll() is None

    @property
    def log(self) -> str:
        """The last lines it wrote."""
        try:
            lines = (self.folder / "broker.log").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-_LOG_LINES:])

    def format(self, cluster_id: str, options: tuple[str, ...]) -> subprocess.Popen[str]:
        """Begin to write the empty storage; ``options`` go to ``kafka-storage format``."""
        return subprocess.Popen(
            [
                *self._java("kafka.tools.StorageTool"),
                *("format", "--cluster-id", cluster_id),
                *("--config", str(self.folder / "server.properties"), *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def formatted(self, process: subprocess.Popen[str]) -> None:
        """Wait for what ``format`` began; OSError when it failed."""
        with process:
            try:
                said, _ = process.communicate(timeout=_FORMAT_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        if process.returncode != 0:
            raise OSError(f"storage of broker {self.number} is not formatted: {said}")

    def start(self) -> None:
        """Start the process and do not wait for it to answer. Nothing when it runs."""
        if self.is_running:
            return
        self._reap()
        with (self.folder / "broker.log").open("ab") as log:
            self._guard = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", str(_GUARD), str(self._cluster_folder)),
                    *self._java("kafka.Kafka"),
                    str(self.folder / "server.properties"),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._guard.stdout is not None
        self._pid = int(self._guard.stdout.readline())

    def kill(self) -> None:
        """SIGKILL, and gone: nothing is finished or handed over. Nothing when it does not run."""
        self._signal(signal.SIGKILL)
        self._reap()

    def stop(self, timeout_s: float = 60.0) -> float:
        """SIGTERM: hands its partitions over and ends; the seconds that took.

        Kafka's own stop waits for the controller: the last nodes of three do not end well.
        """
        started = time.monotonic()
        self._signal(signal.SIGTERM)
        if self._guard is not None:
            self._guard.wait(timeout_s)
        self._reap()
        return time.monotonic() - started

    def freeze(self) -> None:
        """Let it stand still with all its connections open, until ``thaw``."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.is_running:
            os.kill(self._pid, number)

    def _reap(self) -> None:
        process, self._guard = self._guard, None
        if process is not None:
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    def _java(self, main_class: str) -> tuple[str, ...]:
        options = (*_JAVA_OPTIONS, *self._java_options)
        return (jars.java(), *options, "-cp", jars.classpath(), main_class)
