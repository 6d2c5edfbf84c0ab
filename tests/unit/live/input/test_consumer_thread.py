"""The consumer's thread: in which loop aiokafka's consumer is ended."""

import asyncio
import threading
from pathlib import Path
from typing import Any, cast

from app.live.input.consumer_thread import ConsumerThread
from app.live.input.progress import InputProgress
from app.settings.load import load_settings
from tests.unit.live.unstarted_app import unstarted_app


class Part:
    """A part of the consumer: notes in which thread it was closed."""

    def __init__(self) -> None:
        self.closed_in: list[int] = []
        self.is_closed = threading.Event()

    async def close(self) -> None:
        self.closed_in.append(threading.get_ident())
        self.is_closed.set()


class Consumer:
    def __init__(self) -> None:
        self._closed = False
        self._client, self._coordinator = Part(), Part()


def test_a_rebalance_in_a_stop_ends_the_consumer_in_its_own_thread(tmp_path: Path) -> None:
    """Its connections may be read there at that moment."""

    async def test() -> None:
        settings = load_settings({"TRIGGER_DATA_DIR": str(tmp_path)})
        progress = InputProgress(settings.read_topics, 1, is_consumer_committing=True)
        app = unstarted_app(settings, progress, cast(Any, None), cast(Any, None))
        thread: ConsumerThread = app.consumer._thread
        thread.thread_loop = loop = asyncio.new_event_loop()
        thread._consumer = consumer = Consumer()
        runner = threading.Thread(target=loop.run_forever)
        runner.start()
        try:
            thread.close()
            for part in (consumer._client, consumer._coordinator):
                assert await asyncio.to_thread(part.is_closed.wait, 60)
                assert part.closed_in == [runner.ident]
            assert consumer._closed
        finally:
            loop.call_soon_threadsafe(loop.stop)
            await asyncio.to_thread(runner.join)
            loop.close()

    asyncio.run(test())
