"""Shop events: browsing, carts, orders, delivery."""

from typing import Any

from agents import Batches, hand_over


def declare(app: Any, topic: Any, batches: Batches) -> None:
    """Read the topic with this app."""

    @app.agent(topic, name="orders")  # type: ignore[untyped-decorator]
    async def orders(stream: Any) -> None:
        await hand_over(stream, batches)
