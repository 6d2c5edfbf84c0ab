"""One partition of a worker around a committer: restarts it, and reads the input again."""

from collections.abc import Callable
from pathlib import Path

from faust.types import TP

from app.core.recorded import SendRequest
from app.live.commit.committer import Committer, Hook
from app.live.commit.output_records import OutputTopics
from app.live.commit.unit import CommitUnit
from app.live.input.consumer_group import GroupMembership
from app.live.input.progress import InputProgress
from tables.customers import PartitionCustomers
from tables.partition import PartitionStore
from tests.unit.formats.test_trace_context import decision
from tests.unit.live.commit.recording_broker import Broker

CHANGELOG = "changelog"
#: offsets 0 to 2 of the one input topic
INPUT = ("a", "b", "a")
OUTPUTS = OutputTopics(
    changelog=CHANGELOG,
    names={"decisions": "decisions", "dispatch": "dispatch", "outcomes": "outcomes"},
    dead_letters="dead-letters",
    repartition="repartition",
    partitions={"decisions": 1, "dispatch": 1, "outcomes": 1, "dead-letters": 1, "repartition": 1},
    inputs=1,
    largest_dead_letter_bytes=1_000_000,
)

MakeCommitter = Callable[[InputProgress, Hook], Committer]


class CrashError(Exception):
    """The process ends here."""


class CrashAt:
    """A hook that ends the process at one point, the first time that it comes by."""

    def __init__(self, point: str, passes: int = 0) -> None:
        self._point = point
        self._passes = passes

    def __call__(self, point: str) -> None:
        if point != self._point:
            return
        self._passes -= 1
        if self._passes < 0:
            raise CrashError(point)


def new_progress(*, commits: bool) -> InputProgress:
    """The input progress of a member of the group."""
    progress = InputProgress({"orders": "orders"}, 100, is_consumer_committing=commits)
    progress.positions.joined(GroupMembership(1, "member"))
    return progress


async def work(
    folder: Path, broker: Broker, make: MakeCommitter, hook: Hook, *, commits: bool
) -> None:
    """One life of the worker: recover, send what may not have been sent, handle what is left.

    Raises CrashError from the hook, with the database closed as the end of a process closes it.
    """
    store = PartitionStore(folder)
    try:
        entries = [
            Entry(record.at, record.key, record.value)
            for record in broker.of(CHANGELOG)
            if record.at > store.progress.offset
        ]
        if entries:
            store.apply(entries, entries[-1].offset)
        progress = new_progress(commits=commits)
        if not commits:
            progress.positions.resumed({TP(topic, 0): at for topic, at in broker.committed.items()})
        customers = PartitionCustomers(store)
        committer = make(progress, hook).for_partition(0, customers, store)
        resend = store.unsent()
        if resend:
            unit = CommitUnit(now_ms=0)
            unit.resend = resend
            await committer.commit(unit)
        for offset in range(broker.committed.get("orders", 0), len(INPUT)):
            await committer.commit(unit_of(customers, offset))
            for tp, position in progress.positions.for_consumer().items():
                broker.committed[tp.topic] = position
        if committer.has_unmarked_outboxes:
            await committer.mark_outboxes_sent()
    finally:
        store.close()


def unit_of(customers: PartitionCustomers, offset: int) -> CommitUnit:
    """The unit that one input record makes: it counts for its customer and sends one request."""
    unit = CommitUnit(now_ms=0)
    unit.consumed, unit.positions = {"orders": 1}, {"orders": offset + 1}
    customer = customers.get(INPUT[offset])
    if customer.applied.get("orders", -1) >= offset:
        return unit
    customer.applied["orders"] = offset
    customer.counts["order_placed"] = customer.counts.get("order_placed", 0) + 1
    customers.changed(customer)
    made = decision(None, SendRequest("send", "a@x", None, {}))
    made.request_id, made.customer_id = f"request-{offset}", INPUT[offset]
    unit.add_decision(made)
    return unit


def counts(folder: Path) -> dict[str, int]:
    """Customer id -> events counted, as the database has it."""
    store = PartitionStore(folder)
    customers = PartitionCustomers(store)
    try:
        return {each: customers.get(each).counts["order_placed"] for each in set(INPUT)}
    finally:
        store.close()


class Entry:
    """A changelog entry."""

    def __init__(self, offset: int, key: bytes | None, value: bytes | None) -> None:
        self.offset = offset
        self.key = key
        self.value = value
        self.timestamp = 1
