"""The backtest's two clocks: for each arrival, the now and the watermark it is read at.

They depend on the arrivals alone, not on what is decided, so one reader can say them for all.
"""

from dataclasses import dataclass
from typing import Final

from app.core.time.instants import BEGINNING_OF_TIME_MS, Instant

DEFAULT_GRACE_MS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Outage:
    """The engine is down in [from_ms, to_ms): what arrives then is read at ``to_ms``."""

    from_ms: int
    to_ms: int


class Clock:
    """The clock of a backtest: now is the largest arrival so far, the watermark now - grace.

    What arrives in an outage is read at its end, while the watermark follows the largest
    ``occurred_at`` of what is being read, and the partition does not count as current.
    """

    def __init__(self, grace_ms: int = DEFAULT_GRACE_MS, outage: Outage | None = None) -> None:
        self._grace_ms = grace_ms
        self._outage = outage
        self._now_ms = BEGINNING_OF_TIME_MS
        self._catching_up_ms = (
            BEGINNING_OF_TIME_MS if outage is None else outage.from_ms - 1 - grace_ms
        )

    @property
    def now_ms(self) -> int | None:
        """The largest arrival so far; None before the first."""
        return None if self._now_ms == BEGINNING_OF_TIME_MS else self._now_ms

    def step(self, arrived_ms: int | None, occurred_ms: int | None) -> Instant:
        """When the next arrival is read; one that does not say when it came moves no clock.

        ``occurred_ms`` is None for what is no event.
        """
        now_ms = self._now_ms
        if arrived_ms is not None and arrived_ms > now_ms:
            self._now_ms = now_ms = arrived_ms
        outage = self._outage
        if outage is None or not outage.from_ms <= now_ms < outage.to_ms:
            return Instant(now_ms, now_ms - self._grace_ms)
        if occurred_ms is not None:
            occurred_ms = min(occurred_ms, outage.to_ms)
            self._catching_up_ms = max(self._catching_up_ms, occurred_ms - self._grace_ms)
        return Instant(outage.to_ms, self._catching_up_ms, is_current=False)

    def end(self, until_ms: int | None) -> Instant:
        """After the last arrival, how far the timers fire: time goes on to ``until_ms``, and past
        an outage in which something arrived.
        """
        outage = self._outage
        if outage is not None and outage.from_ms <= self._now_ms < outage.to_ms:
            self._now_ms = max(outage.to_ms, until_ms or 0)
        elif until_ms is not None and until_ms > self._now_ms:
            if outage is not None and outage.from_ms <= until_ms < outage.to_ms:
                return Instant(outage.from_ms - 1, outage.from_ms - 1 - self._grace_ms)
            self._now_ms = until_ms
        return Instant(self._now_ms, self._now_ms - self._grace_ms)
