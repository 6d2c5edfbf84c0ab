"""A network that can be cut: connections stay open, and nothing comes through."""

import asyncio
import threading
from contextlib import suppress
from typing import Self

from tests.kafka.ports import HOST

_CHUNK = 1 << 16


class NetworkCut:
    """Forwards connections from one loopback port to another inside ``with``, in a thread.

    ``cut`` stops it in both directions; who connects meanwhile is accepted and hears nothing.
    ``mend`` lets all go on, and what was written meanwhile comes through late.
    """

    def __init__(self, port: int, to_port: int) -> None:
        self.servers = f"{HOST}:{port}"
        self._port = port
        self._to_port = to_port
        self._loop = asyncio.new_event_loop()
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="network")

    def cut(self) -> None:
        """From now on nothing comes through."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def mend(self) -> None:
        """Everything comes through again."""
        self._loop.call_soon_threadsafe(self._open.set)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._is_up.wait(10.0)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._open, self._over = asyncio.Event(), asyncio.Event()
        self._open.set()
        server = await asyncio.start_server(self._accept, HOST, self._port)
        self._is_up.set()
        await self._over.wait()
        server.close()

    async def _accept(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            await self._open.wait()
            far, on = await asyncio.open_connection(HOST, self._to_port)
        except OSError:
            back.close()
            return
        await asyncio.gather(self._pump(near, on), self._pump(far, back))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(_CHUNK):
                await self._open.wait()
                sink.write(data)
                await sink.drain()
        sink.close()
