"""Second rules that decide on live traffic in parallel with the first, only to be compared.

Nothing of it is written or sent: its records are in memory, one set for each partition. A
customer's starts as a copy of the live one, as it is before the first event or timer that the
shadow sees of them, and lives on its own from then on; pending timers follow the shadow's rules as
they would after a reload. Records beyond KEPT_CUSTOMERS go, those used least recently first, and
start from a copy again; a timer that only the shadow had goes with its record. A restart or a
rebalance starts all afresh.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final

from app.core.customer import codec
from app.core.customer.record import Customer
from app.core.decisions import Decision, Outcome
from app.core.engine import Engine
from app.core.errors import EventError
from app.core.events import Event, into_of
from app.core.rules.model import Rules
from app.core.rules.rates import Rates, RateState
from app.core.time.instants import Instant
from app.live.clock.partition_clock import PartitionClock
from app.live.partition.timers import fire_timers
from app.live.telemetry.metrics import Metrics
from tables.in_memory import InMemoryCustomers

_log: Final = logging.getLogger(__name__)

#: Records of one partition; a few KB each.
KEPT_CUSTOMERS: Final = 10_000

#: Outcomes that end a step.
_FINAL: Final = frozenset({Outcome.SEND, Outcome.SUPPRESS, Outcome.HOLDOUT})


class Shadow:
    """Decides for one partition by the shadow rules, and compares.

    Called by the partition's processor and record handler: ``see`` before the live engine touches a
    customer, ``handle`` and ``fire`` with it, ``settle`` when a commit unit is decided. Errors in
    here are counted and logged, and the shadow starts afresh; it never raises.
    """

    def __init__(
        self,
        rules: Rules,
        metrics: Metrics,
        limit: int = KEPT_CUSTOMERS,
        *,
        partitions: int = 1,
        grace_ms: int = 0,
    ) -> None:
        """``partitions`` share the send rates; their timers fire ``grace_ms`` before the slots."""
        self._rules = rules
        self._metrics = metrics
        self._limit = limit
        state = RateState()
        self._rates = Rates(partitions, grace_ms, lambda _customer_id: state)
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._made: list[Decision] = []
        self._customers = RecentCustomers(self._limit)
        self._engine = Engine(
            self._rules,
            self._customers,
            self._made.append,
            rates=self._rates,
            holds=_holds_no_customer,
        )

    def see(self, customers: Iterable[Customer]) -> None:
        """Copy the live records of customers not seen before."""
        for customer in customers:
            if customer.customer_id not in self._customers:
                copy = codec.decode(codec.encode(customer))
                copy.outbox = []
                self._customers.changed(copy)

    def fire(self, clock: PartitionClock, due_ms: int) -> None:
        """Fire its own timers up to this due time."""
        if self._customers.earliest_due_ms() <= due_ms:
            self._attempt(lambda: fire_timers(self._engine, clock, due_ms))

    def handle(self, event: Event, instant: Instant, customer_id: str) -> None:
        """Take an event about this customer that the live engine is about to take."""
        self._attempt(
            lambda: self._engine.handle(
                event,
                instant.now_ms,
                instant.watermark_ms,
                is_current=instant.is_current,
                customer_id=customer_id,
            )
        )

    def forget_merged(self, customer_id: str, event: Event) -> None:
        """The live engine has taken a merge: both customers start from a copy again."""
        self._customers.erase(customer_id)
        into = into_of(event)
        if into is not None:
            self._customers.erase(into)

    def release_parked(self, instant: Instant) -> None:
        """The partition is current: its own parked steps may be decided."""
        self._attempt(lambda: self._engine.release_parked(instant.watermark_ms, self._limit))

    def erase(self, customer_id: str) -> None:
        """Forget the customer."""
        self._customers.erase(customer_id)

    def settle(self, live: Sequence[Decision]) -> None:
        """Compare with the live decisions of the same commit unit, and count."""
        if live or self._made:
            for (trigger, verdict), count in compare(live, self._made).items():
                self._metrics.shadow_decided(trigger, verdict, count)
            self._made.clear()
        self._customers.trim()

    def _attempt(self, work: Callable[[], object]) -> None:
        try:
            work()
        except EventError:
            return
        except Exception as exc:  # a fault under rules that are being tried stops nothing
            self._metrics.shadow_errors.inc()
            _log.error(
                "shadow rules failed and start afresh",
                extra={"action": "shadow_failed"},
                exc_info=exc,
            )
            self._start_afresh()


def _holds_no_customer(_: str) -> bool:
    """What a merged customer sends on is not taken by the shadow."""
    return False


def compare(live: Iterable[Decision], shadow: Iterable[Decision]) -> Counter[tuple[str, str]]:
    """(trigger, verdict) -> steps that were decided for good by either side.

    ``same`` and ``different`` are of steps that both decided, ``only_live`` and ``only_shadow`` of
    the others; so a step that they decide at different times counts once under each of these.
    Outcome, channel and, for what goes out, template are compared; reasons are not.
    """
    theirs = {each.request_id: each for each in shadow if each.outcome in _FINAL}
    found: Counter[tuple[str, str]] = Counter()
    for each in live:
        if each.outcome not in _FINAL:
            continue
        other = theirs.pop(each.request_id, None)
        if other is None:
            found[each.trigger, "only_live"] += 1
        else:
            is_same = _verdict(each) == _verdict(other)
            found[each.trigger, "same" if is_same else "different"] += 1
    for each in theirs.values():
        found[each.trigger, "only_shadow"] += 1
    return found


def _verdict(decision: Decision) -> tuple[Outcome, str | None, str | None]:
    if decision.outcome is Outcome.SUPPRESS:
        return decision.outcome, None, None
    return decision.outcome, decision.channel, decision.template


class RecentCustomers(InMemoryCustomers):
    """Records in memory, up to ``limit`` of them after each ``trim``."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def __contains__(self, customer_id: str) -> bool:
        return customer_id in self._records

    def changed(self, customer: Customer) -> None:
        """Keep the record as the one used last."""
        self._records.pop(customer.customer_id, None)
        super().changed(customer)

    def trim(self) -> None:
        """Forget those used least recently. Not while the engine is at work."""
        for customer_id in list(islice(self._records, max(0, len(self) - self._limit))):
            self.erase(customer_id)
