"""A network between a worker and its broker that carries only so many bytes a second."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from tests.kafka.ports import HOST

_CHUNK: Final = 4096


class _Line:
    """One direction for all connections: each waits its turn, chunk by chunk."""

    def __init__(self, bytes_per_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._turn = asyncio.Lock()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until one side has gone."""
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                async with self._turn:
                    await asyncio.sleep(len(chunk) / self._bytes_per_s)
                writer.write(chunk)
                await writer.drain()
        writer.close()


@contextmanager
def slow_network(port: int, broker_port: int, bytes_per_s: float) -> Iterator[None]:
    """Carry what comes to ``port`` to the broker, and back, at that rate each way."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="slow-network")
    thread.start()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_broker, to_broker = await asyncio.open_connection(HOST, broker_port)
        await asyncio.gather(there.carry(reader, to_broker), back.carry(from_broker, writer))

    async def close() -> None:
        server.close()
        going = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)

    there, back = _Line(bytes_per_s), _Line(bytes_per_s)
    starting = asyncio.start_server(connected, HOST, port, limit=4 * _CHUNK)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
