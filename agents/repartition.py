"""Records that were on a partition that is not their key's, on the one that is."""

from typing import Any

from agents import Batches, hand_over


def declare(app: Any, topic: Any, batches: Batches) -> None:
    """Read the topic with this app."""

    @app.agent(topic, name="repartition")  # type: ignore[untyped-decorator]
    async def repartition(stream: Any) -> None:
        await hand_over(stream, batches)
