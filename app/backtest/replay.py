"""Arrivals in, decisions out (spec section 8, "Backtest input").

All topics form one stream that is always read up to its end, so the watermark is now - grace:
a timer fires at now = its time + grace, before a record that arrives then or later.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import IntEnum

from app.backtest.clock import DEFAULT_GRACE_MS, Clock, Outage
from app.backtest.history import Arrival
from app.backtest.rates import DEFAULT_PARTITIONS, partitioned_rates
from app.core.context import Emit, EmitStopped, ignore_stopped
from app.core.customer.parts import StoppedStart
from app.core.engine import Engine
from app.core.errors import EventError
from app.core.events import Event
from app.core.outcomes import EmitOutcome, ignore_outcome
from app.core.rules.model import Rules
from app.core.time.instants import END_OF_TIME_MS, Instant
from app.formats.event_lines import require_topic
from tables.in_memory import InMemoryCustomers


class Phase(IntEnum):
    """What goes on around an outage, in this order; CURRENT also before it."""

    CATCHING_UP = 0
    TURNING_CURRENT = 1
    CURRENT = 2


class Replay:
    """One run over history. ``counts`` says what became of its records.

    Decisions go to ``emit`` in the order made, what sends led to to ``outcome``, starts that opened
    nothing to ``stopped``, dead letters with their line number to ``dead``.
    """

    def __init__(
        self,
        rules: Rules,
        emit: Emit,
        *,
        outcome: EmitOutcome = ignore_outcome,
        stopped: EmitStopped = ignore_stopped,
        dead: Callable[[int, EventError], None] | None = None,
        grace_ms: int = DEFAULT_GRACE_MS,
        outage: Outage | None = None,
        partitions: int = DEFAULT_PARTITIONS,
    ) -> None:
        self.customers = InMemoryCustomers()
        # a Counter finds its own way of setting an item by name, each time
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._learned: defaultdict[str, int] = defaultdict(int)
        self._is_learning = False
        self._rules = rules
        self._dead = dead
        rates = partitioned_rates(partitions, grace_ms)
        self._stopped = stopped
        self._engine = Engine(rules, self.customers, emit, outcome, rates, self._take_stopped)
        self._clock = Clock(grace_ms, outage)
        self._grace_ms = grace_ms
        #: until it is over and what arrived in it has been read
        self._outage = outage
        self.phase = Phase.CURRENT

    @property
    def counts(self) -> Counter[str]:
        """What became of the records."""
        return Counter(self._counts)

    @property
    def learned(self) -> Counter[str]:
        """What became of those that were learned from."""
        return Counter(self._learned)

    @property
    def now_ms(self) -> int | None:
        """The largest arrival so far; None before the first."""
        return self._clock.now_ms

    def run(self, arrivals: Iterable[Arrival], *, until_ms: int | None = None) -> None:
        """Take every arrival, then run the clock on to ``until_ms``."""
        for arrival in arrivals:
            self.take(arrival)
        self.finish(until_ms)

    def learn(self, arrivals: Iterable[Arrival], from_ms: int) -> None:
        """Take a history that arrived before ``from_ms``, deciding nothing (``decide_from``)."""
        self.decide_from(END_OF_TIME_MS)
        clock = Clock(self._grace_ms)
        for arrival in arrivals:
            instant = clock.step(arrival.arrived_ms, None)
            self.fire_to(instant)
            self.handle(arrival, instant)
        self.decide_from(from_ms)

    def decide_from(self, from_ms: int) -> None:
        """Close steps that are due before ``from_ms`` undecided; with END_OF_TIME_MS all are, and
        records count as learned.
        """
        self._engine.rules = replace(self._rules, decide_from_ms=from_ms)
        self._is_learning = from_ms == END_OF_TIME_MS

    def _take_stopped(self, start: StoppedStart) -> None:
        if not self._is_learning:
            self._stopped(start)

    def take(self, arrival: Arrival) -> None:
        """One record: the clock steps to its arrival, then it is handled."""
        content = arrival.content
        occurred_ms = content.occurred_ms if isinstance(content, Event) else None
        instant = self._clock.step(arrival.arrived_ms, occurred_ms)
        self.fire_to(instant)
        self.handle(arrival, instant)

    def finish(self, until_ms: int | None) -> None:
        """After the last record: let time go on."""
        self.fire_to(self._clock.end(until_ms))

    def fire_to(self, instant: Instant) -> None:
        """Fire the timers that come before an arrival that is read then."""
        now_ms, grace_ms = instant.now_ms, self._grace_ms
        outage = None if self._is_learning else self._outage
        if outage is not None and now_ms >= outage.to_ms:
            self._engine.run_to(outage.from_ms - 1, grace_ms)
            if not instant.is_current:
                self.phase = Phase.CATCHING_UP
                self._engine.fire_due(instant.watermark_ms, now_ms, is_current=False)
                return
            # all has been read: the stream is at its end again, and the watermark follows now
            self._outage = None
            self.phase = Phase.TURNING_CURRENT
            self._engine.turn_current(outage.to_ms - grace_ms, outage.to_ms)
            self.phase = Phase.CURRENT
        self._engine.run_to(now_ms, grace_ms)

    def handle(self, arrival: Arrival, instant: Instant) -> None:
        """One record, after the timers before it have fired."""
        content = arrival.content
        counts = self._learned if self._is_learning else self._counts
        try:
            if isinstance(content, Event):
                if content.topic not in self._rules.plans:
                    require_topic(content.topic, self._rules.plans)
                handled = self._engine.handle(
                    content, instant.now_ms, instant.watermark_ms, is_current=instant.is_current
                )
                counts[handled] += 1
                return
            if isinstance(content, str):
                self._engine.erase(content)
                counts["erased"] += 1
                return
            raise content
        except EventError as exc:
            counts["dead_letter"] += 1
            if self._dead is not None and not self._is_learning:
                self._dead(arrival.number, exc)
