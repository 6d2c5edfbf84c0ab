"""The worker's web server: ``/live /startup /ready /metrics`` and the routes that it is given."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from aiohttp import web

from app.live.telemetry.metrics import Metrics
from app.live.web.connections import BoundedRendering, listen, without_version

_log: Final = logging.getLogger(__name__)
_METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class WebServer:
    """Serves ``routes`` and its own from ``start`` to ``stop``.

    ``is_ready`` and ``has_joined`` are called at each request. Live means that the event loop
    turns: a worker that cannot work ends by itself. Started: the group has let it in, so that what
    remains before it is ready is reading its state back, which takes as long as it takes.
    """

    def __init__(
        self,
        host: str,
        port: int,
        metrics: Metrics,
        is_ready: Callable[[], bool],
        has_joined: Callable[[], bool],
        routes: Iterable[web.RouteDef] = (),
    ) -> None:
        self._host = host
        self._port = port
        self._metrics = BoundedRendering(metrics.render)
        self._is_ready = is_ready
        self._has_joined = has_joined
        app = web.Application()
        app.router.add_get("/live", self._live)
        app.router.add_get("/startup", self._startup)
        app.router.add_get("/ready", self._ready)
        app.router.add_get("/metrics", self._render)
        app.router.add_routes(routes)
        app.on_response_prepare.append(without_version)
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=1.0)
        self._listener: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen; returns the port, which with port 0 is a free one. Raises OSError."""
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        self._listener = await listen(server, self._host, self._port)
        port: int = self._listener.sockets[0].getsockname()[1]
        _log.info("web server listens on %s:%d", self._host, port, extra={"action": "listening"})
        return port

    async def stop(self) -> None:
        """Stop listening and close all connections."""
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    async def _live(self, _: web.Request) -> web.Response:
        return web.Response(text="live\n")

    async def _startup(self, _: web.Request) -> web.Response:
        if self._has_joined():
            return web.Response(text="started\n")
        return web.Response(status=503, text="waiting for the consumer group\n")

    async def _ready(self, _: web.Request) -> web.Response:
        if self._is_ready():
            return web.Response(text="ready\n")
        return web.Response(status=503, text="not ready\n")

    async def _render(self, request: web.Request) -> web.StreamResponse:
        return await self._metrics.answer(request, _METRICS_TYPE)
