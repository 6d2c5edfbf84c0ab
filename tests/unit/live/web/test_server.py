"""What the probes are told, and ``triggers health`` with them."""

import asyncio
import socket

import pytest

from app.cli import main
from app.live.telemetry.metrics import Metrics
from app.live.web.server import WebServer


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("has_joined", "is_ready", "codes"),
    [
        (False, False, {"live": 0, "startup": 1, "ready": 1}),
        (True, False, {"live": 0, "startup": 0, "ready": 1}),
        (True, True, {"live": 0, "startup": 0, "ready": 0}),
    ],
)
def test_each_stage_of_a_start(has_joined: bool, is_ready: bool, codes: dict[str, int]) -> None:
    """In the group comes before ready: reading the state back may take longer than a probe."""

    async def ask() -> dict[str, int]:
        server = WebServer("127.0.0.1", 0, Metrics(), lambda: is_ready, lambda: has_joined)
        port = str(await server.start())
        try:
            return {
                each: await asyncio.to_thread(main, ["health", each, "--web-port", port])
                for each in codes
            }
        finally:
            await server.stop()

    assert asyncio.run(ask()) == codes


def test_a_worker_that_does_not_listen_is_unhealthy(capsys: pytest.CaptureFixture[str]) -> None:
    """A worker that does not listen is not live."""
    assert main(["health", "--web-port", str(free_port())]) == 1
    assert "no worker at 127.0.0.1" in capsys.readouterr().err


def test_a_host_that_means_all_is_asked_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a pod the worker listens on all addresses, and 0.0.0.0 is none to connect to."""
    monkeypatch.setenv("TRIGGER_WEB_HOST", "0.0.0.0")  # noqa: S104  # not listened on
    assert main(["health", "--web-port", str(free_port())]) == 1
    assert "no worker at 127.0.0.1" in capsys.readouterr().err
