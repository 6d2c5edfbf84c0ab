"""Travel events: itineraries, passengers, seats, payments, prices."""

from typing import Any

from agents import Batches, hand_over


def declare(app: Any, topic: Any, batches: Batches) -> None:
    """Read the topic with this app."""

    @app.agent(topic, name="bookings")  # type: ignore[untyped-decorator]
    async def bookings(stream: Any) -> None:
        await hand_over(stream, batches)
