"""What a client of the web port can take: neither the loop, nor every connection, nor a version."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from app.live.telemetry.metrics import Metrics
from app.live.web import connections
from app.live.web.connections import MOST_CONNECTIONS, BoundedRendering
from app.live.web.server import WebServer

HOST = "127.0.0.1"
DEADLINE_S = 60.0
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def served(ask: Callable[[int], Awaitable[None]]) -> None:
    """Call ``ask`` with the port of a server that is ready."""

    async def serve() -> None:
        server = WebServer(HOST, 0, Metrics(), lambda: True, lambda: True)
        port = await server.start()
        try:
            await asyncio.wait_for(ask(port), DEADLINE_S)
        finally:
            await server.stop()

    asyncio.run(serve())


async def raw(port: int, sent: bytes) -> Streams:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(sent)
    await writer.drain()
    return reader, writer


async def answer(port: int, path: str) -> tuple[int, str | None]:
    async with aiohttp.ClientSession() as client, client.get(f"http://{HOST}:{port}{path}") as got:
        await got.read()
        return got.status, got.headers.get("Server")


def test_live_is_answered_in_spite_of_idle_clients() -> None:
    """More than there are connections; the oldest of them go."""

    async def ask(port: int) -> None:
        idle: list[Streams] = []
        for number in range(2 * MOST_CONNECTIONS):
            idle.append(await raw(port, b"GET /metrics HTTP/1.1\r\nX: " if number % 2 else b""))
        assert (await answer(port, "/live"))[0] == 200
        assert await idle[0][0].read() == b""
        for _, writer in idle:
            writer.close()

    served(ask)


def test_a_head_that_does_not_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is closed once its time is over, however often a byte comes."""
    monkeypatch.setattr(connections, "HEAD_S", 0.2)

    async def ask(port: int) -> None:
        reader, writer = await raw(port, b"GET /live HTTP/1.1\r\n")
        assert await reader.read() == b""
        writer.close()

    served(ask)


def test_metrics_are_rendered_for_a_few_at_once() -> None:
    """Other clients get 503 with Retry-After, and /live is answered meanwhile."""

    async def ask(port: int) -> None:
        asking = [asyncio.create_task(answer(port, "/metrics")) for _ in range(100)]
        assert (await answer(port, "/live"))[0] == 200
        found = Counter(status for status, _ in await asyncio.gather(*asking))
        assert found.keys() <= {200, 503}
        assert found[200] >= BoundedRendering.MOST
        assert (await answer(port, "/metrics"))[0] == 200

    served(ask)


def test_a_client_that_does_not_read_its_metrics_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It holds its place no longer than it may take to read."""

    async def ask(port: int) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(BoundedRendering, "SEND_S", 0.0)
            reader, writer = await raw(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.read()
            writer.close()
        assert (await answer(port, "/metrics"))[0] == 200

    served(ask)


def test_no_answer_has_a_version() -> None:
    """Neither a page, nor what is not found, nor what is no HTTP."""

    async def ask(port: int) -> None:
        for path, status in (("/live", 200), ("/nothing", 404), ("/metrics", 200)):
            assert await answer(port, path) == (status, "triggers")
        reader, writer = await raw(port, b"\x16\x03\x01 no HTTP\r\n\r\n")
        said = await reader.read()
        writer.close()
        assert b" 400 " in said
        assert b"aiohttp" not in said
        assert b"Python" not in said

    served(ask)
