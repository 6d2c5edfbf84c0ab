"""The agents that read: one for each topic, all alike."""

from collections.abc import AsyncIterable, Mapping
from typing import Any

from agents import Batches


def declare(app: Any, topics: Mapping[str, Any], batches: Batches) -> None:
    """Read every one of the topics (by logical name, which names its agent) with this app."""
    for name, topic in topics.items():
        app.agent(topic, name=name)(_reader(batches))


def _reader(batches: Batches) -> Any:
    async def read(stream: Any) -> None:
        events: AsyncIterable[Any] = stream.events()
        async for event in events:
            batches.take(event.message.tp, event.value)

    return read
