"""How time moves for one partition: by the machine's clock, or by the records read.

Both say for each record at which instant it is handled. The watermark and now are never mixed.
"""

import time
from collections.abc import Callable
from typing import Protocol

from app.core.time.instants import Instant
from app.live.clock.watermark import BEGINNING_OF_TIME_MS, Watermark

Now = Callable[[], int]


def machine_ms() -> int:
    """The machine's clock, epoch ms."""
    return time.time_ns() // 1_000_000


class PartitionClock(Protocol):
    """Time in one partition. Used by its processor only."""

    @property
    def timer_delay_ms(self) -> int | None:
        """None: timers fire at now. Else each fires at its own time plus this, also in the past."""

    @property
    def instant(self) -> Instant:
        """Where the clocks stand."""

    def start_unit(self, *, is_current: bool) -> Instant:
        """A commit unit begins; whether the partition is current holds for all of it."""

    def advance(self, topic: str, record_ms: int, occurred_ms: int | None) -> Instant:
        """A record is about to be handled; ``occurred_ms`` is None when it does not count."""

    def watermark_age_ms(self) -> int | None:
        """How far the watermark is behind, at this instant; None while that means nothing."""


class WallClock:
    """Live: now is the machine's clock, timers follow the watermark."""

    timer_delay_ms: int | None = None

    def __init__(self, watermark: Watermark, now: Now) -> None:
        self._watermark = watermark
        self._now = now
        self._started_ms = now()
        self.instant = Instant(self._started_ms, watermark.value_ms, is_current=False)

    def start_unit(self, *, is_current: bool) -> Instant:
        now_ms = max(self.instant.now_ms, self._now())
        self.instant = Instant(now_ms, self._watermark.value_ms, is_current)
        return self.instant

    def advance(self, topic: str, record_ms: int, occurred_ms: int | None) -> Instant:
        instant = self.instant
        if occurred_ms is not None:
            watermark, now_ms = self._watermark, instant.now_ms
            watermark.advance(topic, occurred_ms if occurred_ms < now_ms else now_ms)
            if watermark.value_ms != instant.watermark_ms:
                self.instant = instant = Instant(now_ms, watermark.value_ms, instant.is_current)
        return instant

    def watermark_age_ms(self) -> int:
        """While there is no watermark: since this clock began."""
        value_ms = self._watermark.value_ms
        return self._now() - (self._started_ms if value_ms == BEGINNING_OF_TIME_MS else value_ms)


class RecordsClock:
    """A rehearsal: now is the largest record timestamp handled in the partition.

    A timer fires at its due time + grace, before the first record that is not earlier: what the
    backtest does with the same records. A rehearsal always counts as current.
    """

    def __init__(self, grace_ms: int) -> None:
        self.timer_delay_ms: int | None = grace_ms
        self._grace_ms = grace_ms
        self.instant = Instant(BEGINNING_OF_TIME_MS, BEGINNING_OF_TIME_MS - grace_ms)

    def start_unit(self, *, is_current: bool) -> Instant:
        """Now moves with records only."""
        return self.instant

    def advance(self, topic: str, record_ms: int, occurred_ms: int | None) -> Instant:
        return self.run_to(record_ms)

    def run_to(self, now_ms: int) -> Instant:
        """Move now forward to ``now_ms``."""
        if now_ms > self.instant.now_ms:
            self.instant = Instant(now_ms, now_ms - self._grace_ms)
        return self.instant

    def watermark_age_ms(self) -> int | None:
        return None if self.instant.now_ms == BEGINNING_OF_TIME_MS else self._grace_ms
