"""Reading a history for its customers: the engine counts, and is asked on the way."""

import heapq
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from app.analysis.segments.features import Early, Features, as_features, features_of, known_features
from app.backtest.history import Arrival, merge_arrivals, read_arrivals
from app.backtest.replay import Replay
from app.core.compile import compile_rules
from app.core.customer.facts import spend
from app.core.events import PURCHASES, Event
from app.core.time.instants import DAY_MS
from app.formats.json_lines import open_lines

EARLY_DAYS: Final = 30
HORIZON_DAYS: Final = 180


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a history says: all customers as of ``now_ms``, its end, and early on."""

    now_ms: int
    features: Features
    early: Early


def read_history(paths: Sequence[Path], *, horizon_days: int = HORIZON_DAYS) -> Seen:
    """Files of events as a backtest reads them. Raises ConfigError."""
    with ExitStack() as stack:
        readers = [stack.enter_context(open_lines(path)) for path in paths]
        return seen_in(merge_arrivals([read_arrivals(reader) for reader in readers]), horizon_days)


def seen_in(arrivals: Iterable[Arrival], horizon_days: int) -> Seen:
    """Counts as the engine does. A customer's early features are taken EARLY_DAYS after the first
    purchase that arrived, before anything that arrives later.
    """
    replay = Replay(compile_rules({"version": 1, "triggers": {}}, version=""), lambda _: None)
    snapshots = _Snapshots(replay, horizon_days)
    for arrival in arrivals:
        if arrival.arrived_ms is not None:
            snapshots.take_until(arrival.arrived_ms)
        replay.take(arrival)
        event = arrival.content
        if isinstance(event, Event) and event.is_known and event.type in PURCHASES:
            snapshots.bought(event.customer_id, event.occurred_ms)
    now_ms = replay.now_ms or 0
    snapshots.take_until(now_ms)
    return Seen(
        now_ms=now_ms,
        features=features_of(replay.customers, now_ms),
        early=snapshots.early(),
    )


class _Snapshots:
    """Looks at each customer twice after the first purchase, when its time has come."""

    def __init__(self, replay: Replay, horizon_days: int) -> None:
        self._replay = replay
        self._horizon_days = horizon_days
        self._known: set[str] = set()
        #: (when, customer, whether it is the early look)
        self._due: list[tuple[int, str, bool]] = []
        self._rows: dict[str, list[float]] = {}
        self._spent: dict[str, float] = {}
        self._later: dict[str, float] = {}

    def bought(self, customer_id: str, at_ms: int) -> None:
        if customer_id in self._known:
            return
        self._known.add(customer_id)
        early_ms = at_ms + EARLY_DAYS * DAY_MS
        heapq.heappush(self._due, (early_ms, customer_id, True))
        heapq.heappush(self._due, (early_ms + self._horizon_days * DAY_MS, customer_id, False))

    def take_until(self, now_ms: int) -> None:
        """Every look that is due before ``now_ms``."""
        while self._due and self._due[0][0] < now_ms:
            at_ms, customer_id, is_early = heapq.heappop(self._due)
            customer = self._replay.customers.get(customer_id)
            if is_early:
                row = known_features(customer, at_ms)
                if row is not None:
                    self._rows[customer_id] = row
                    self._spent[customer_id] = spend(customer) or 0.0
            elif customer_id in self._rows:
                self._later[customer_id] = (spend(customer) or 0.0) - self._spent[customer_id]

    def early(self) -> Early:
        features = as_features(
            {customer_id: self._rows[customer_id] for customer_id in self._later}
        )
        later = [self._later[customer_id] for customer_id in features.customer_ids]
        return Early(
            early_days=EARLY_DAYS,
            horizon_days=self._horizon_days,
            features=features,
            later_spend=np.array(later, dtype=np.float64),
        )
