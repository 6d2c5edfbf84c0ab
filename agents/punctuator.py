"""Fires timers when no input does: a pass over every partition, several times a second."""

from typing import Any, Final

from agents import Batches

#: At most this long after the watermark has passed it, a timer is noticed.
INTERVAL_S: Final = 0.25


def declare(app: Any, batches: Batches) -> None:
    """Pass timers with this app, once its tables are recovered."""

    @app.timer(interval=INTERVAL_S, name="punctuator")  # type: ignore[untyped-decorator]
    async def punctuator() -> None:
        batches.pass_timers()
