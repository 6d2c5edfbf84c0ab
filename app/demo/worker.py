"""The real worker as a child process that does not outlive the demo."""

import http.client
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from app.core.errors import InfrastructureError
from app.kafka import embedded_guard
from app.settings.variable import PREFIX as SETTINGS_PREFIX

#: so that a checkout that is not installed works from any folder
_CODE: Final = Path(__file__).parents[2]
_HOST: Final = "127.0.0.1"
_LOG_LINES: Final = 15
_POLL_S: Final = 0.1
#: the guard allows the worker 5 s, then kills it
_STOP_TIMEOUT_S: Final = 12.0
_REQUEST_TIMEOUT_S: Final = 2.0


class WorkerProcess:
    """``triggers worker`` with ``variables`` (TRIGGER_*), there between start and ``stop``.

    ``folder`` holds its log and its state, and goes with it, even when this process is killed: the
    guard that also runs the embedded broker sees to that. Ctrl-C does not reach it.
    """

    def __init__(self, variables: Mapping[str, str], folder: Path, web_port: int) -> None:
        self._folder = folder
        self._web_port = web_port
        self._log_path = folder / "worker.log"
        environ = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS_PREFIX)}
        path = [str(_CODE), *filter(None, [os.environ.get("PYTHONPATH")])]
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", embedded_guard.__file__, str(folder)),
                    *(sys.executable, "-m", "app.cli", "worker"),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**environ, **variables, "PYTHONPATH": os.pathsep.join(path)},
                start_new_session=True,
            )

    @property
    def metrics_url(self) -> str:
        """Where its metrics are while it runs."""
        return f"http://localhost:{self._web_port}/metrics"

    def wait_until_ready(self, timeout_s: float) -> None:
        """Until it reads events. Raises InfrastructureError when it ends or takes too long."""
        deadline = time.monotonic() + timeout_s
        while not self._answers_ready():
            self.check()
            if time.monotonic() > deadline:
                raise InfrastructureError(
                    f"the worker was not ready after {timeout_s:g} s{self._tail()}"
                )
            time.sleep(_POLL_S)

    def check(self) -> None:
        """Raises InfrastructureError, with the end of its log, when it does not run any more."""
        code = self._process.poll()
        if code is not None:
            raise InfrastructureError(f"the worker ended with exit code {code}{self._tail()}")

    def measure(self, name: str) -> float:
        """The sum of one of its metrics over all labels. Raises OSError when it does not answer."""
        _, body = self._get("/metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(body)
            for sample in family.samples
            if sample.name == name
        )

    def stop(self) -> None:
        """Ask it to stop, wait for its end, and remove the folder. Harmless when it has ended."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers_ready(self) -> bool:
        try:
            return self._get("/ready")[0] == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def _get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(_HOST, self._web_port, timeout=_REQUEST_TIMEOUT_S)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def _tail(self) -> str:
        """The last lines of its log, indented."""
        try:
            lines = self._log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        shown = lines[-_LOG_LINES:]
        return "; the end of its log:" + "".join(f"\n  {line}" for line in shown) if shown else ""
