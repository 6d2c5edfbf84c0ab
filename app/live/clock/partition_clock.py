"""The two ways in which time moves for one partition: by the wall, or by the records read.

Both tell the processor the same three things: up to which due time timers fire, how to fire them,
and at which now an event is handled. The watermark and now are never mixed (spec section 4).
"""

import time
from collections.abc import Callable
from typing import Protocol

from app.core.engine import Engine, Handled
from app.core.events import Event
from app.live.clock.watermark import BEGINNING_OF_TIME_MS, Watermark

Now = Callable[[], int]


def wall_ms() -> int:
    """The wall clock, epoch ms."""
    return time.time_ns() // 1_000_000


class Clock(Protocol):
    """Time in one partition."""

    @property
    def now_ms(self) -> int:
        """The engine's clock, for gates. Never goes backwards."""

    @property
    def due_ms(self) -> int:
        """Timers at or before this fire."""

    def watermark_age_ms(self) -> int | None:
        """How far the watermark is behind, at this instant; None while that means nothing."""

    def start_unit(self) -> None:
        """A commit unit begins."""

    def arrive(self, topic: str, record_ms: int, occurred_ms: int | None) -> None:
        """A record is about to be handled; ``occurred_ms`` is None when it was not understood."""

    def fire(self, task: Engine, due_ms: int) -> int:
        """Fire timers up to a due time that is not after ``due_ms``; returns how many."""

    def handle(self, task: Engine, event: Event) -> Handled:
        """Let the task handle the event at this time."""


class WallClock:
    """Live: now is the wall clock, timers follow the watermark."""

    def __init__(self, watermark: Watermark, now: Now) -> None:
        self._watermark = watermark
        self._now = now
        self.now_ms = self._started_ms = now()

    @property
    def due_ms(self) -> int:
        return self._watermark.value_ms

    def watermark_age_ms(self) -> int:
        """While there is no watermark: since this clock began."""
        value_ms = self._watermark.value_ms
        return self._now() - (self._started_ms if value_ms == BEGINNING_OF_TIME_MS else value_ms)

    def start_unit(self) -> None:
        self.now_ms = max(self.now_ms, self._now())

    def arrive(self, topic: str, record_ms: int, occurred_ms: int | None) -> None:
        if occurred_ms is not None:
            self._watermark.rise(topic, min(occurred_ms, self.now_ms))

    def fire(self, task: Engine, due_ms: int) -> int:
        return task.fire_due(due_ms, self.now_ms)

    def handle(self, task: Engine, event: Event) -> Handled:
        return task.handle(event, self.now_ms, self._watermark.value_ms)


class RecordsClock:
    """A rehearsal: now is the largest record timestamp handled in the partition.

    A timer fires at its due time + grace, before the first record that is not earlier: what the
    backtest does with the same records.
    """

    def __init__(self, grace_ms: int) -> None:
        self._grace_ms = grace_ms
        self._is_wound = False
        self.now_ms = BEGINNING_OF_TIME_MS

    @property
    def due_ms(self) -> int:
        return self.now_ms - self._grace_ms

    def watermark_age_ms(self) -> int | None:
        return None if self.now_ms == BEGINNING_OF_TIME_MS else self._grace_ms

    def start_unit(self) -> None:
        """Now moves with records only."""

    def arrive(self, topic: str, record_ms: int, occurred_ms: int | None) -> None:
        self.advance(record_ms)

    def advance(self, now_ms: int) -> None:
        """Move now forward to ``now_ms``."""
        if now_ms > self.now_ms:
            self.now_ms = now_ms

    def fire(self, task: Engine, due_ms: int) -> int:
        if not self._is_wound:
            # A task takes its first instant for its start: timers of a restored state lie before.
            task.run_to(BEGINNING_OF_TIME_MS, self._grace_ms)
            self._is_wound = True
        return task.run_to(due_ms + self._grace_ms, self._grace_ms)

    def handle(self, task: Engine, event: Event) -> Handled:
        return task.handle(event, self.now_ms, self.now_ms - self._grace_ms)
