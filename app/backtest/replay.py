"""The backtest's clock: arrivals in, decisions out (spec section 8, "Backtest input").

All topics form one stream that is always read up to its end, so the watermark is now - grace:
a timer fires at now = its time + grace, before a record that arrives then or later.
"""

from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from app.backtest.customers import MemoryCustomers
from app.backtest.history import Arrival
from app.core.errors import EventError
from app.core.events import Event
from app.core.moment import Emit
from app.core.outcomes import EmitOutcome, ignore_outcome
from app.core.rules import Rules
from app.core.task import Task

DEFAULT_GRACE_MS = 5_000


class Outage(msgspec.Struct, frozen=True):
    """The engine is down in [from_ms, to_ms): what arrives then is read at ``to_ms``."""

    from_ms: int
    to_ms: int


class Replay:
    """One run over history. ``counts`` says what became of its records.

    Decisions go to ``emit`` in the order made, what sends led to to ``outcome``, dead letters with
    their line number to ``dead``.
    """

    def __init__(
        self,
        rules: Rules,
        emit: Emit,
        *,
        outcome: EmitOutcome = ignore_outcome,
        dead: Callable[[int, EventError], None] | None = None,
        grace_ms: int = DEFAULT_GRACE_MS,
        outage: Outage | None = None,
    ) -> None:
        self.customers = MemoryCustomers()
        self.counts: Counter[str] = Counter()
        self._dead = dead
        self._task = Task(rules, self.customers, emit, outcome)
        self._grace_ms = grace_ms
        self._outage = outage
        self._held: list[Arrival] = []
        self._now_ms: int | None = None

    @property
    def now_ms(self) -> int | None:
        """The largest arrival so far; None before the first."""
        return self._now_ms

    def run(self, arrivals: Iterable[Arrival], *, until_ms: int | None = None) -> None:
        """Take every arrival, then run the clock on to ``until_ms``."""
        for arrival in arrivals:
            self.take(arrival)
        self.finish(until_ms)

    def take(self, arrival: Arrival) -> None:
        """One record: the clock steps to its arrival, then it is handled."""
        if arrival.arrived_ms is not None:
            now_ms = arrival.arrived_ms
            if self._now_ms is not None and now_ms < self._now_ms:
                now_ms = self._now_ms
            if self._outage is not None and self._is_down(self._outage, now_ms):
                self._now_ms = now_ms
                self._held.append(arrival)
                return
            self._step_to(now_ms)
        elif self._held:
            self._held.append(arrival)
            return
        if self._now_ms is None:
            self._apply(arrival, 0, 0)
        else:
            self._apply(arrival, self._now_ms, self._now_ms - self._grace_ms)

    def finish(self, until_ms: int | None) -> None:
        """After the last record: read what an outage still holds, then let time go on."""
        if self._outage is not None and self._held:
            self._step_to(max(self._outage.to_ms, until_ms or 0))
        elif until_ms is not None and (self._now_ms is None or until_ms > self._now_ms):
            if self._outage is not None and self._is_down(self._outage, until_ms):
                return
            self._step_to(until_ms)

    def _is_down(self, outage: Outage, now_ms: int) -> bool:
        """Whether the engine is down then; the timers before the outage have fired."""
        if not outage.from_ms <= now_ms < outage.to_ms:
            return False
        self._task.run_to(outage.from_ms - 1, self._grace_ms)
        return True

    def _step_to(self, now_ms: int) -> None:
        outage = self._outage
        if outage is not None and now_ms >= outage.to_ms:
            self._outage = None
            self._task.run_to(outage.from_ms - 1, self._grace_ms)
            self._catch_up(outage)
        self._now_ms = now_ms
        self._task.run_to(now_ms, self._grace_ms)

    def _catch_up(self, outage: Outage) -> None:
        """Read what arrived during the outage, at its end: the watermark follows the records.

        Once all are read the stream is at its end again, and the watermark follows now.
        """
        now_ms = outage.to_ms
        watermark_ms = outage.from_ms - 1 - self._grace_ms
        for arrival in self._held:
            if isinstance(arrival.content, Event):
                occurred_ms = min(arrival.content.occurred_ms, now_ms)
                watermark_ms = max(watermark_ms, occurred_ms - self._grace_ms)
                self._task.fire_due(watermark_ms, now_ms)
            self._apply(arrival, now_ms, watermark_ms)
        self._held.clear()
        self._task.fire_due(now_ms - self._grace_ms, now_ms)

    def _apply(self, arrival: Arrival, now_ms: int, watermark_ms: int) -> None:
        content = arrival.content
        try:
            if isinstance(content, Event):
                handled = self._task.handle(content, now_ms, watermark_ms)
                self.counts[handled] += 1
                return
            if isinstance(content, str):
                self._task.erase(content)
                self.counts["erased"] += 1
                return
            raise content
        except EventError as exc:
            self.counts["dead_letter"] += 1
            if self._dead is not None:
                self._dead(arrival.number, exc)
