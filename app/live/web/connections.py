"""Bounds what the clients of the web server can take: connections, slow heads, rendering.

A worker decides in the same loop that serves its web port, so no client may hold that loop or its
memory up, and a probe gets its answer whatever other clients do.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

#: Open at once. One more takes the place of the one that has been open longest, so that a probe is
#: accepted whatever the number of idle or slow clients.
MOST_CONNECTIONS: Final = 128
#: New connections of one turn of the loop: fewer than the limit, or they would push each other out
#: before their requests were read.
_BACKLOG: Final = 32
#: A connection whose next head is not complete by then is closed.
HEAD_S: Final = 10.0
#: What the ``Server`` header says: no version to choose an attack by.
SERVER: Final = "triggers"


class Connection(web.RequestHandler):
    """One client connection. Answers what is not HTTP with 400, without a line in the log."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status < 500:
            response: web.StreamResponse = web.Response(status=status, text="bad request\n")
            response.force_close()
        else:
            response = super().handle_error(request, status, exc, message)
        response.headers["Server"] = SERVER
        return response


async def listen(server: web.Server, host: str, port: int) -> asyncio.Server:
    """Listen for connections that ``server`` handles, bounded as above. Raises OSError."""
    loop = asyncio.get_running_loop()

    def accept() -> Connection:
        connections = list(server.connections)
        for oldest in connections[: len(connections) + 1 - MOST_CONNECTIONS]:
            if oldest.transport is not None:
                oldest.transport.abort()
        options: dict[str, Any] = {"access_log": None, "keepalive_timeout": HEAD_S}
        return Connection(server, loop=loop, **options)

    return await loop.create_server(accept, host, port, backlog=_BACKLOG)


async def without_version(_: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: name the server, not its version."""
    response.headers["Server"] = SERVER


class BoundedRendering:
    """Renders for a few clients at once and refuses the others.

    After each rendering the loop is left alone for as long as it took, so that rendering takes half
    of the loop's time at most.
    """

    #: Being rendered, sent, or waiting for that.
    MOST: Final = 8
    #: A client that takes its answer more slowly is cut off.
    SEND_S: Final = 10.0

    def __init__(self, render: Callable[[], bytes]) -> None:
        self._render = render
        self._turn = asyncio.Lock()
        self._count = 0

    async def answer(self, request: web.Request, content_type: str) -> web.StreamResponse:
        """Send what is rendered, or 503 when too many ask."""
        if self._count >= self.MOST:
            headers = {"Retry-After": "1"}
            return web.Response(
                status=503, text="too many ask at once; try again\n", headers=headers
            )
        self._count += 1
        try:
            async with self._turn:
                started = time.perf_counter()
                body = self._render()
                await asyncio.sleep(time.perf_counter() - started)
            response = web.StreamResponse(headers={"Content-Type": content_type})
            response.content_length = len(body)
            try:
                async with asyncio.timeout(self.SEND_S):
                    await response.prepare(request)
                    await response.write(body)
                    await response.write_eof()
            except TimeoutError:
                if request.transport is not None:
                    request.transport.abort()
            return response
        finally:
            self._count -= 1
