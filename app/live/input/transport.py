"""Faust's aiokafka transport, with a whole fetch of a partition as one message.

Faust costs about 100 µs a message, whatever is in it; so here a message's value is the list of all
records that one fetch returned for a partition, and its offset is that of the last (for the
changelog: the last position read, so that a log that ends in control records ends as well).

Faust's queues lose messages: what is in them is thrown away when the flow is resumed, and it is
resumed more than once in a rebalance, the last time after the positions were found. So nothing but
what a recovery reads is fetched before the rebalance is over; and each message says what came
before it, so that its receiver sees a loss.

Input topics: committed is what was handled durably (``InputProgress.positions``), never
what a stream acknowledged; a partition with a full buffer is not asked for; and every fetch says
how far each partition is read. Changelog topics go to Faust's recovery as before.

Only what is committed is read, whatever this worker promises: inputs may come from transactions,
and the changelog may have been written in some. So a partition is read up to its end when its last
stable offset is reached; but a recovery reads up to where the log ended when it began, waiting for
transactions that were open then (``app.live.input.broker_offsets``).
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, Final

from faust import Schema
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import ConsumerMessage

from app.kafka.types import InputRecord, TopicPartition
from app.live.input.broker_offsets import BrokerOffsets
from app.live.input.consumer_thread import POLL_S, ConsumerThread
from app.live.input.progress import InputProgress
from app.live.input.rebalance_listener import RebalanceListener
from app.live.input.rebalance_log import RebalanceLog
from app.live.input.record_batch import RecordBatch

#: The scheme of a broker URL that selects this transport.
SCHEME: Final = "batched"


class BatchSchema(Schema):  # type: ignore[misc]
    """Hands the list of records on as it is."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        return message.value


class BatchConsumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer: delivers record batches and commits the positions of ``InputProgress``.

    Used by Faust in the worker's main loop; fetches through ``ConsumerThread``. Reports to the
    worker's ``RebalanceListener``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._progress: InputProgress = self.app.input_progress
        self._listener: RebalanceListener = self.app.rebalance_listener
        self._offsets: BrokerOffsets = self.app.offsets
        self._rebalance_log = RebalanceLog()
        #: changes whenever assignment or positions may have
        self.epoch = 0
        #: between a revocation and the assignment that follows
        self.is_revoked = True
        #: the rebalance is over: streams and standbys may be read
        self._is_settled = False
        #: how many batches of a partition were handed over, and where the last one ended
        self._handed: dict[TopicPartition, tuple[int, int]] = {}
        #: input partitions that are not read while it is found out what their logs have lost
        self._suspects: set[TopicPartition] = set()
        #: when the broker last answered for a partition: by the machine's clock, and by ours
        self.answered: dict[TopicPartition, tuple[int, int]] = {}
        #: where each changelog began when it was looked at last
        self._starts: dict[TopicPartition, int] = {}

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # -- reading

    async def getmany(
        self, timeout: float
    ) -> AsyncIterator[tuple[TopicPartition, ConsumerMessage]]:
        """One message per partition that has something new."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        if self.should_stop:
            return
        wanted = self._progress.buffered.with_room(self._get_active_partitions())
        if not self._is_settled:
            wanted &= self.app.tables.recovery.active_tps
        wanted -= self._suspects
        if not wanted:
            await self.wait_first(
                self._progress.buffered.wait_for_room(POLL_S), self.suspend_flow.wait()
            )
            return
        epoch = self.epoch
        batches, states = await self._thread.fetch(wanted, epoch)
        if self.should_stop or not self.flow_active or self.epoch != epoch:
            # A rebalance began meanwhile: it ends with a seek to what is committed.
            return
        progress = self._progress
        inputs = {tp: len(batch) for tp, batch in batches.items() if progress.is_input(tp)}
        progress.fetched(
            inputs,
            {tp: state for tp, (_, state) in states.items() if progress.is_input(tp)},
            {tp: sum(len(record.value or b"") for record in batches[tp]) for tp in inputs},
        )
        self._listener.ends_known()
        for tp, batch in batches.items():
            self._log_end(tp)
            if tp in inputs and self.epoch == epoch:
                as_of_ms = progress.reading.answered_ms(tp) or 0
                yield tp, self._message(tp, batch, batch[-1].offset, as_of_ms)
        for tp, (position, _) in states.items():
            if self.epoch == epoch and tp in wanted and not progress.is_input(tp):
                batch = batches.get(tp, [])
                seen = self._read_offset[tp]
                if batch or (position > 0 and (seen is None or position - 1 > seen)):
                    yield tp, self._message(tp, batch, position - 1)

    def is_changelog(self, tp: TopicPartition) -> bool:
        """Whether it is no input topic's. Called in the consumer's thread."""
        return not self._progress.is_input(tp)

    def position_lost(self, tp: TopicPartition, offset: int) -> None:
        """The broker no longer has the offset that comes next. Called in the consumer's thread."""
        if self._progress.is_input(tp):
            self._suspects.add(tp)
            asyncio.run_coroutine_threadsafe(self._look_into(tp, offset), self.loop)

    async def _look_into(self, tp: TopicPartition, offset: int) -> None:
        await self._listener.position_lost(tp, offset)
        self._suspects.discard(tp)

    async def highwaters(self, *partitions: TopicPartition) -> Mapping[TopicPartition, int]:
        """Where a recovery of these changelogs ends. Raises InfrastructureError for lost state."""
        ends = await self._offsets.ends(partitions)
        await self.app.store.on_ends_known(ends)
        return ends

    def _log_end(self, tp: TopicPartition) -> None:
        self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))

    def settle(self) -> None:
        """A rebalance is over, unless the next has begun."""
        self._is_settled = not self.is_revoked
        if self._is_settled:
            self._rebalance_log.ends()

    def _message(
        self, tp: TopicPartition, batch: list[InputRecord], offset: int, as_of_ms: int = 0
    ) -> ConsumerMessage:
        number, after = self._handed.get(tp, (0, -1))
        self._handed[tp] = number + 1, offset
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            offset,
            batch[-1].timestamp / 1000 if batch else 0.0,
            0,
            (),
            None,
            RecordBatch(batch, number=number, after=after, as_of_ms=as_of_ms),
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def perform_seek(self) -> None:
        self.epoch += 1
        await super().perform_seek()

    async def seek_wait(self, partitions: Mapping[TopicPartition, int]) -> None:
        self.epoch += 1
        await super().seek_wait(partitions)
        for tp, offset in partitions.items():
            # what was handed over before comes again, or was handed over for nothing
            number, _ = self._handed.get(tp, (0, -1))
            self._handed[tp] = number, -1 if self._is_before_all(tp, offset) else offset - 1

    async def earliest_offsets(self, *partitions: TopicPartition) -> Mapping[TopicPartition, int]:
        starts: Mapping[TopicPartition, int] = await super().earliest_offsets(*partitions)
        self._starts.update(starts)
        return starts

    def _is_before_all(self, tp: TopicPartition, offset: int) -> bool:
        """Whether an empty database is to get all that its changelog has: Faust then seeks the
        offset before the start.
        """
        return offset < self._starts.get(tp, 0) and self.app.store.persisted_offset(tp) is None

    async def _add_gap(self, tp: TopicPartition, offset_from: int, offset_to: int) -> None:
        """Nothing: batches are contiguous by themselves."""

    # -- committing

    def ack(self, message: Any) -> bool:
        """A stream is through with a message: that says nothing about what is done."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TopicPartition]:
        return iter(list(self._progress.positions.for_consumer()))

    def _new_offset(self, tp: TopicPartition) -> int | None:
        return self._progress.positions.for_consumer().get(tp)

    def verify_event_path(self, now: float, tp: TopicPartition) -> None:
        """Nothing: Faust would miss the commits that transactions make."""

    async def _commit(self, offsets: Mapping[TopicPartition, int]) -> bool:
        did_commit: bool = await super()._commit(offsets)
        if not did_commit:
            self._listener.commit_failed()
        return did_commit

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Let the unit in progress end and commit it while the partitions are still ours."""
        self.epoch += 1
        self.is_revoked, self._is_settled = True, False
        self._rebalance_log.begins()
        self.stop_flow()
        progress = self._progress
        progress.revoking()
        inputs = {tp.partition for tp in revoked if progress.is_input(tp)}
        await self._listener.partitions_revoked(inputs)
        progress.revoked(revoked)
        if revoked and not self.should_stop:
            await self.commit()
        progress.positions.forget(revoked)
        await super().on_partitions_revoked(revoked)
        self._rebalance_log.phase_ends()

    async def on_partitions_assigned(
        self, assigned: set[TopicPartition], generation_id: int = 0
    ) -> None:
        self.epoch += 1
        self.is_revoked, self._is_settled = False, False
        self._rebalance_log.phase_ends()
        self._handed.clear()
        self._progress.positions.joined(self._thread.membership(generation_id))
        await super().on_partitions_assigned(assigned, generation_id)


class Transport(driver.Transport):  # type: ignore[misc]
    """Faust's transport for broker URLs with the scheme ``batched``."""

    Consumer = BatchConsumer


def broker_urls(bootstrap_servers: str, scheme: str = SCHEME) -> list[str]:
    """``host:port,...`` as Faust takes it."""
    return [f"{scheme}://{server}" for server in _servers(bootstrap_servers)]


def _servers(bootstrap_servers: str) -> Iterable[str]:
    return (server.strip() for server in bootstrap_servers.split(",") if server.strip())


TRANSPORTS.aliases[SCHEME] = "app.live.input.transport:Transport"
