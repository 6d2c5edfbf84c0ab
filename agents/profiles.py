"""Profile and consent updates; a null value erases the customer."""

from typing import Any

from agents import Batches, hand_over


def declare(app: Any, topic: Any, batches: Batches) -> None:
    """Read the topic with this app."""

    @app.agent(topic, name="profiles")  # type: ignore[untyped-decorator]
    async def profiles(stream: Any) -> None:
        await hand_over(stream, batches)
