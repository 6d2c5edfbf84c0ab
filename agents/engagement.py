"""What happened to messages: delivered, opened, clicked, bounced, complained."""

from typing import Any

from agents import Batches, hand_over


def declare(app: Any, topic: Any, batches: Batches) -> None:
    """Read the topic with this app."""

    @app.agent(topic, name="engagement")  # type: ignore[untyped-decorator]
    async def engagement(stream: Any) -> None:
        await hand_over(stream, batches)
