"""aiokafka's consumer in its own thread: fetches records and how far partitions are read."""

import asyncio
from typing import Any, Final

from faust.transport.drivers import aiokafka as driver

from app.kafka.types import InputRecord, TopicPartition
from app.live.clock.machine_clock import MachineClock
from app.live.input.asked_times import AskedTimes
from app.live.input.consumer_group import NO_MEMBER, GroupMembership, watch_group, watch_takeovers
from app.live.input.read_progress import ReadState
from app.live.input.record_decoding import decode_lean, unpack_gzip_at_once

#: How long the broker may hold an answer back; bounds how old the knowledge of an end is.
FETCH_WAIT_MS: Final = 200
POLL_S: Final = 0.2
#: The same while records wait for what the brokers know of the other topics.
_SOON_MS: Final = 10
_SOON_S: Final = 0.02
#: The least time from one empty answer of a broker to the next.
_EMPTY_FETCH_S: Final = 0.02
Fetched = tuple[
    dict[TopicPartition, list[InputRecord]], dict[TopicPartition, tuple[int, ReadState]]
]


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Owns aiokafka's consumer, in a thread and a loop of its own.

    Called by ``BatchConsumer`` through ``call_thread``. Calls ``RebalanceListener.group_lost`` from
    its thread.
    """

    _watch: asyncio.Task[None] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._asked = AskedTimes()

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._isolation_level = "read_committed"
        return consumer

    async def on_start(self) -> None:
        """Start the consumer, and pace a broker that answers an empty fetch at once.

        Kafka holds an empty answer back as long as it may; the embedded broker does not, and
        asking again without a pause would keep a core busy. A fetcher that closes awaits the
        fetches that it has cancelled, and would fail, the whole thread with it, on one that says
        so; aiokafka's own says so while it waits to try again.
        """
        await super().on_start()
        consumer = self._ensure_consumer()
        on_lost = self.consumer.app.rebalance_listener.group_lost
        self._watch = asyncio.create_task(watch_group(consumer, on_lost))
        watch_takeovers(consumer._coordinator, on_lost)
        fetcher = consumer._fetcher
        fetch_once = fetcher._proc_fetch_request
        unpack_gzip_at_once()

        async def fetch_paced(assignment: Any, node_id: int, request: Any) -> Any:
            started = self._asked.now_s()
            try:
                has_records = await fetch_once(assignment, node_id, request)
                self._note_answer(assignment, node_id, request, started, bool(has_records))
                is_soon = self._asked.are_ends_awaited()
                fetcher._fetch_max_wait_ms = _SOON_MS if is_soon else FETCH_WAIT_MS
                left_s = _EMPTY_FETCH_S - (self._asked.now_s() - started)
                self._note_lost_positions(assignment, request)
                decode_lean(fetcher._records, self.consumer.is_changelog)
                if not has_records and left_s > 0:
                    await asyncio.sleep(left_s)
            except asyncio.CancelledError:
                return False
            return has_records

        fetcher._proc_fetch_request = fetch_paced

    def _note_answer(
        self, assignment: Any, node_id: int, request: Any, asked_s: float, has_records: bool
    ) -> None:
        """Note when the broker was asked for what the partitions' states now say."""
        if not assignment.active:
            return
        stamps_ms = {}
        for topic, places in request.topics:
            for number, *_ in places:
                tp = TopicPartition(topic, number)
                stamp_ms = assignment.state_value(tp).timestamp if tp in assignment.tps else None
                if stamp_ms is not None:
                    stamps_ms[tp] = stamp_ms
        self._asked.answered(node_id, asked_s, stamps_ms, has_records=has_records)

    def _note_lost_positions(self, assignment: Any, request: Any) -> None:
        """Tell of partitions that the broker no longer has at the offset that was asked for:
        aiokafka goes on where their logs begin now.
        """
        if not assignment.active:
            return
        for topic, places in request.topics:
            for number, offset, *_ in places:
                tp = TopicPartition(topic, number)
                if tp in assignment.tps and assignment.state_value(tp).awaiting_reset:
                    self.consumer.position_lost(tp, offset)

    def close(self) -> None:
        """End the consumer, whatever it waits for. Called in the main loop when a rebalance comes
        while the worker stops.

        As Faust does, but in the consumer's own loop: Faust takes its connections away from the
        main thread, and uvloop ends the process with SIGSEGV when that is while one is read.
        """
        consumer = self._consumer
        if consumer is not None:
            consumer._closed = True
            for end in (consumer._client.close, consumer._coordinator.close):
                asyncio.run_coroutine_threadsafe(end(), self.thread_loop)

    async def on_thread_stop(self) -> None:
        """The group is left on purpose."""
        if self._watch is not None:
            self._watch.cancel()
        await super().on_thread_stop()

    def membership(self, generation: int) -> GroupMembership:
        """The membership of this worker in ``generation``; NO_MEMBER when it has left that."""
        coordinator = self._ensure_consumer()._coordinator
        member_id = coordinator.member_id
        if generation < 0 or coordinator.generation != generation:
            return NO_MEMBER
        return GroupMembership(generation, member_id)

    async def fetch(self, tps: set[TopicPartition], epoch: int) -> Fetched:
        """What is there of these partitions, waiting a little, and how far each is read."""
        fetched: Fetched = await self.call_thread(self._fetch, tps, epoch)
        return fetched

    async def _fetch(self, tps: set[TopicPartition], epoch: int) -> Fetched:
        consumer = self._ensure_consumer()
        timeout_s = _SOON_S if self._asked.are_ends_awaited() else POLL_S
        records = await self._fetch_records(
            consumer, tps, timeout=timeout_s, max_records=consumer._max_poll_records
        )
        # No await from here on: records and positions belong together.
        if self.consumer.epoch != epoch:
            # Asked for under an assignment or a position that is gone. They were drained from the
            # assignment as it is now, which has to give them again.
            assigned = consumer.assignment()
            for tp, batch in records.items():
                if tp in assigned:
                    consumer.seek(tp, batch[0].offset)
            return {}, {}
        return records, self._read_states(consumer)

    def _read_states(self, consumer: Any) -> dict[TopicPartition, tuple[int, ReadState]]:
        subscription = consumer._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None or not assignment.active:
            return {}
        states = {}
        for tp in assignment.tps:
            state = assignment.state_value(tp)
            if state.timestamp is None or not state.has_valid_position:
                continue
            waited_ms = self._asked.waited_ms(TopicPartition(*tp), state.timestamp)
            if waited_ms is not None:
                as_of_ms = self._as_of_ms(TopicPartition(*tp), state.timestamp)
                end = state.highwater if state.lso is None else state.lso
                is_at_end = end is not None and state.position >= end
                behind = 0 if end is None else max(0, end - state.position)
                read = ReadState(as_of_ms, is_at_end, behind, end, as_of_ms - waited_ms)
                states[TopicPartition(*tp)] = state.position, read
        return states

    def _as_of_ms(self, tp: TopicPartition, stamp_ms: int) -> int:
        """When the answer came, by a clock that is not set under way.

        An old answer keeps its time: the machine's clock may have been set since.
        """
        answered: dict[TopicPartition, tuple[int, int]] = self.consumer.answered
        known = answered.get(tp)
        if known is None or known[0] != stamp_ms:
            machine_clock: MachineClock = self.consumer.app.machine_clock
            known = answered[tp] = stamp_ms, machine_clock.of_machine_ms(stamp_ms)
        return known[1]
