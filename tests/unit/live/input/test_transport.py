"""The batched transport: what is fetched when, what a message holds, and what is committed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from faust.types import TP

from app.core.errors import InfrastructureError
from app.kafka.types import RestoredRecord
from app.live.input.broker_offsets import BrokerOffsets
from app.live.input.consumer_group import NO_MEMBER, GroupMembership
from app.live.input.progress import InputProgress
from app.live.input.read_progress import ReadState
from app.live.input.record_batch import RecordBatch
from app.live.input.transport import BatchConsumer
from app.settings.load import load_settings
from tests.unit.live.unstarted_app import unstarted_app

ORDERS = TP("orders", 0)
CHANGELOG = TP("triggers-customers-changelog", 0)
CAPACITY = 3


class Thread:
    """The consumer's thread by hand: answers fetches from a list, and notes what is committed."""

    def __init__(self) -> None:
        self.answers: list[tuple[dict[TP, list[RestoredRecord]], dict[TP, Any]]] = []
        self.asked: list[set[TP]] = []
        self.commits: list[Mapping[TP, int]] = []
        self.accepts_commits = True
        #: where every log begins
        self.start = 0
        #: called while a fetch is under way
        self.meanwhile: Callable[[], object] = lambda: None

    async def fetch(self, tps: set[TP], epoch: int) -> object:
        self.asked.append(set(tps))
        self.meanwhile()
        return self.answers.pop(0)

    def membership(self, generation: int) -> GroupMembership:
        return GroupMembership(generation, "member")

    def assignment(self) -> set[TP]:
        return {ORDERS, CHANGELOG}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Positions are in the answers."""

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        return dict.fromkeys(partitions, self.start)

    def highwater(self, tp: TP) -> int:
        return 0

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        self.commits.append(dict(offsets))
        return self.accepts_commits


class Listener:
    """Implements ``RebalanceListener``: notes what it is told, and what was committed by then."""

    def __init__(self, thread: Thread) -> None:
        self.calls: list[object] = []
        self._thread = thread
        self.finish: Callable[[], object] = lambda: None
        self.is_known = asyncio.Event()

    async def partitions_revoked(self, partitions: set[int]) -> None:
        self.finish()
        self.calls.append(("revoked", partitions, len(self._thread.commits)))

    def ends_known(self) -> None:
        self.calls.append("ends")

    async def position_lost(self, tp: TP, offset: int) -> None:
        self.calls.append((tp, offset))
        await self.is_known.wait()

    def commit_failed(self) -> None:
        self.calls.append("commit failed")

    def group_lost(self, error: InfrastructureError) -> None:
        self.calls.append(error)


class Transport:
    """A consumer of a real Faust app over a thread by hand, with ``ORDERS`` assigned."""

    def __init__(self, folder: Path, *, is_consumer_committing: bool = True) -> None:
        settings = load_settings({"TRIGGER_DATA_DIR": str(folder)})
        self.progress = InputProgress(
            settings.read_topics, CAPACITY, is_consumer_committing=is_consumer_committing
        )
        self.thread = Thread()
        self.listener = Listener(self.thread)
        app = unstarted_app(settings, self.progress, cast(BrokerOffsets, None), self.listener)
        self.consumer: BatchConsumer = app.consumer
        self.consumer._thread = self.thread
        self.consumer._on_partitions_assigned = self._nothing
        self.consumer._on_partitions_revoked = self._nothing

    async def _nothing(self, *_: object) -> None:
        """Faust's own part of a rebalance, which needs a started app."""

    async def assign(self) -> None:
        await self.consumer.on_partitions_assigned({ORDERS, CHANGELOG}, 7)
        self.consumer.resume_flow()
        self.consumer.settle()

    async def messages(self) -> list[tuple[TP, int, RecordBatch]]:
        """What one round of fetching hands over: (partition, offset, batch)."""
        return [
            (tp, message.offset, message.value)
            async for tp, message in self.consumer.getmany(timeout=0.0)
        ]


@asynccontextmanager
async def transport(folder: Path, **options: bool) -> AsyncIterator[Transport]:
    made = Transport(folder, **options)
    await made.assign()
    yield made


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def records(tp: TP, offsets: Iterable[int]) -> list[RestoredRecord]:
    return [
        RestoredRecord(tp.topic, tp.partition, offset, 1_000 + offset, b"ann", b"{}", ())
        for offset in offsets
    ]


def read(position: int, end: int) -> tuple[int, ReadState]:
    """The state of a partition that was read up to a position."""
    return position, ReadState(5_000, position >= end, end - position, end, 4_800)


def test_a_fetch_of_a_partition_is_one_message(tmp_path: Path) -> None:
    """It has the last record's offset, counts the batches, and says where the last one ended."""

    async def test() -> None:
        async with transport(tmp_path) as each:
            each.thread.answers = [
                ({ORDERS: records(ORDERS, [4, 6])}, {ORDERS: read(7, 9)}),
                ({ORDERS: records(ORDERS, [8])}, {ORDERS: read(9, 9)}),
            ]
            ((tp, offset, first),) = await each.messages()
            assert (tp, offset, len(first)) == (ORDERS, 6, 2)
            assert (first.number, first.after, first.as_of_ms) == (0, -1, 5_000)
            assert each.progress.buffered.waiting(ORDERS) == 2
            ((_, offset, second),) = await each.messages()
            assert (offset, second.number, second.after) == (8, 1, 6)
            assert each.listener.calls == ["ends", "ends"]

    run(test())


def test_a_partition_with_a_full_buffer_is_not_fetched(tmp_path: Path) -> None:
    """It is asked for again once its records are handled."""

    async def test() -> None:
        async with transport(tmp_path) as each:
            each.thread.answers = [
                ({ORDERS: records(ORDERS, range(CAPACITY))}, {}),
                ({}, {}),
                ({}, {}),
            ]
            await each.messages()
            await each.messages()
            each.progress.buffered.dropped(ORDERS, 1)
            await each.messages()
            assert each.thread.asked == [{ORDERS, CHANGELOG}, {CHANGELOG}, {ORDERS, CHANGELOG}]

    run(test())


def test_a_partition_that_lost_its_position_is_not_read_before_the_loss_is_known(
    tmp_path: Path,
) -> None:
    """The broker deleted what comes next; a changelog's position is not looked into."""

    async def test() -> None:
        async with transport(tmp_path) as each:
            each.thread.answers = [({}, {}), ({}, {})]
            await asyncio.to_thread(each.consumer.position_lost, CHANGELOG, 5)
            await asyncio.to_thread(each.consumer.position_lost, ORDERS, 7)
            await each.messages()
            assert (ORDERS, 7) in each.listener.calls
            each.listener.is_known.set()
            while each.consumer._suspects:
                await asyncio.sleep(0)
            await each.messages()
            assert each.thread.asked == [{CHANGELOG}, {ORDERS, CHANGELOG}]

    run(test())


def test_the_end_of_a_changelog_shows_without_records(tmp_path: Path) -> None:
    """Control records end it: an empty message moves the recovery to the last position read."""

    async def test() -> None:
        async with transport(tmp_path) as each:
            each.thread.answers = [({}, {CHANGELOG: read(12, 12), ORDERS: read(3, 3)})]
            ((tp, offset, batch),) = await each.messages()
            assert (tp, offset, list(batch)) == (CHANGELOG, 11, [])

    run(test())


def test_what_was_fetched_before_a_rebalance_is_dropped(tmp_path: Path) -> None:
    """Its positions are gone: nothing is handed over or counted, and it is read again."""

    async def test() -> None:
        async with transport(tmp_path) as each:
            each.thread.answers = [({ORDERS: records(ORDERS, [4])}, {ORDERS: read(5, 5)})]

            def begin_rebalance() -> None:
                each.consumer.epoch += 1

            each.thread.meanwhile = begin_rebalance
            assert await each.messages() == []
            assert each.progress.buffered.total() == 0

    run(test())


def test_before_a_rebalance_is_over_recoveries_alone_are_read(tmp_path: Path) -> None:
    """Faust would throw away what else is fetched."""

    async def test() -> None:
        async with transport(tmp_path) as each:
            await each.assign()
            each.consumer._is_settled = False
            each.consumer.app.tables.recovery.active_tps.add(CHANGELOG)
            each.thread.answers = [({}, {})]
            await each.messages()
            assert each.thread.asked == [{CHANGELOG}]

    run(test())


def test_handled_positions_are_committed_and_acknowledgements_are_not(tmp_path: Path) -> None:
    """A stream is through with a message long before its records are durable."""

    async def test() -> None:
        async with transport(tmp_path) as each:
            each.thread.answers = [({ORDERS: records(ORDERS, [0, 1])}, {})]
            async for _, message in each.consumer.getmany(timeout=0.0):
                each.consumer.ack(message)
            await each.consumer.commit()
            assert each.thread.commits == []
            each.progress.unit_done(0, {"orders": 1}, {"orders": 1})
            await each.consumer.commit()
            assert each.thread.commits == [{ORDERS: 1}]

    run(test())


def test_exactly_once_commits_nothing_through_the_consumer(tmp_path: Path) -> None:
    """Transactions have the offsets."""

    async def test() -> None:
        async with transport(tmp_path, is_consumer_committing=False) as each:
            each.progress.unit_done(0, {"orders": 1}, {"orders": 1})
            await each.consumer.commit()
            assert each.thread.commits == []

    run(test())


def test_a_commit_that_fails_is_reported_to_the_listener(tmp_path: Path) -> None:
    """It is counted there, and tried again with the next positions."""

    async def test() -> None:
        async with transport(tmp_path) as each:
            each.thread.accepts_commits = False
            each.progress.unit_done(0, {"orders": 1}, {"orders": 1})
            await each.consumer.commit()
            assert each.listener.calls == ["commit failed"]

    run(test())


def test_a_revocation_ends_the_units_then_commits_then_forgets(tmp_path: Path) -> None:
    """What the last unit made durable is committed while the partition is still this worker's."""

    async def test() -> None:
        async with transport(tmp_path) as each:
            each.thread.answers = [({ORDERS: records(ORDERS, [0, 1])}, {})]
            await each.messages()
            each.listener.calls.clear()
            each.listener.finish = lambda: each.progress.unit_done(0, {"orders": 2}, {"orders": 2})

            await each.consumer.on_partitions_revoked({ORDERS, CHANGELOG})

            assert each.listener.calls == [("revoked", {0}, 0)]
            assert each.thread.commits == [{ORDERS: 2}]
            assert each.progress.positions.of(ORDERS) is None
            assert each.progress.membership == NO_MEMBER
            assert each.consumer.is_revoked
            each.consumer.settle()
            assert not each.consumer._is_settled

    run(test())


def test_an_assignment_joins_under_its_generation_and_counts_batches_anew(tmp_path: Path) -> None:
    """The processor of an assignment expects batch 0 first."""

    async def test() -> None:
        async with transport(tmp_path) as each:
            assert each.progress.membership == GroupMembership(7, "member")
            each.thread.answers = [({ORDERS: records(ORDERS, [at])}, {}) for at in (0, 1)]
            await each.messages()
            await each.assign()
            ((_, _, batch),) = await each.messages()
            assert (batch.number, batch.after) == (0, -1)

    run(test())


def test_what_comes_after_a_seek_follows_its_position(tmp_path: Path) -> None:
    """A batch that was handed over before, and not applied, is read again: that is no loss."""

    async def test() -> None:
        async with transport(tmp_path) as each:
            again = {CHANGELOG: records(CHANGELOG, [0])}
            each.thread.answers = [(again, {CHANGELOG: (1, None)})] * 2
            await each.messages()
            await each.consumer.seek_wait({CHANGELOG: 0})
            ((_, offset, batch),) = await each.messages()
            assert (offset, batch.number, batch.after) == (0, 1, -1)

    run(test())


async def after_the_start(each: Transport) -> tuple[int, int]:
    """Offset and ``after`` of the first batch of a changelog that begins at 100, sought like Faust
    does it.
    """
    each.thread.start = 100
    await each.consumer.earliest_offsets(CHANGELOG)
    await each.consumer.seek_wait({CHANGELOG: 99})
    first = {CHANGELOG: records(CHANGELOG, [100])}
    each.thread.answers = [(first, {CHANGELOG: (101, None)})]
    ((_, offset, batch),) = await each.messages()
    return offset, batch.after


def test_nothing_comes_before_the_start_of_a_changelog(tmp_path: Path) -> None:
    """Faust seeks the offset before the start for an empty database: no batch of it was lost."""

    async def test() -> None:
        async with transport(tmp_path) as each:
            assert await after_the_start(each) == (100, -1)
            await each.consumer.app.store.on_stop()

    run(test())


def test_a_database_that_ends_before_the_start_of_its_changelog_lacks_a_batch(
    tmp_path: Path,
) -> None:
    """What was deleted between the two is not in it, so it must not be gone on with."""

    async def test() -> None:
        async with transport(tmp_path) as each:
            store = each.consumer.app.store
            store.partition(0).apply([], 0)
            assert await after_the_start(each) == (100, 98)
            await store.on_stop()

    run(test())


def test_seeking_makes_fetches_under_way_stale(tmp_path: Path) -> None:
    """They were asked for from other positions."""

    async def test() -> None:
        async with transport(tmp_path) as each:
            before = each.consumer.epoch
            await each.consumer.seek_wait({ORDERS: 5})
            assert each.consumer.epoch == before + 1

    run(test())
