"""Commits the units of all partitions of a worker in one transaction after the other.

A producer has one transaction at a time and partitions have many units, so units are committed in
groups: those that are ready when a transaction may begin go into it together, the others wait for
the next one, and are joined by more. While a transaction is being committed (in a thread: those
calls block) the partition processors go on making units.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, Protocol

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as ClientPartition

from app.core.errors import InfrastructureError
from app.kafka.types import TopicPartition
from app.live.commit.committer import Hook, ignore_hook
from app.live.commit.output_records import ProducerRecord
from app.live.input.consumer_group import GroupMembership

_log: Final = logging.getLogger(__name__)

#: Above this many records a transaction takes no more units: the producer's queue is finite.
_RECORDS: Final = 50_000
#: What the client itself waits for at most, beyond the transaction's time.
_SLACK_S: Final = 5.0

#: The group has given this worker's partitions to another member.
_LOST_PARTITIONS: Final = frozenset({KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID})
#: Another producer has the transactional id, which is the instance id's.
_LOST_ID: Final = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.FENCED_INSTANCE_ID,
    }
)
#: How often a transaction that was aborted for a broker that went is done again.
_ATTEMPTS: Final = 5
_AGAIN_S: Final = 0.5
#: How long a broker is waited for that is away while a transaction ends.
PATIENCE_S: Final = 120.0

#: Told how each transaction ended, and how many seconds it took.
OnDone = Callable[[str, float], None]


class TransactionalProducer(Protocol):
    """The part of confluent-kafka's producer that is used."""

    def begin_transaction(self) -> None: ...
    def produce(self, *args: Any, **kwargs: Any) -> None: ...
    def produce_batch(self, topic: str, messages: list[dict[str, Any]], partition: int) -> int: ...
    def flush(self, timeout: float) -> int: ...
    def send_offsets_to_transaction(self, *args: Any) -> None: ...
    def commit_transaction(self, timeout: float) -> None: ...
    def abort_transaction(self, timeout: float) -> None: ...
    def purge(self) -> None: ...


#: Makes another producer of the same transactional id, once the broker has ended what the last one
#: left open. Raises KafkaException.
Reopen = Callable[[], TransactionalProducer]


class TransactionPart:
    """The records and offsets of one commit unit in a transaction.

    ``offsets`` are the group's offsets after it; at least one, because the broker checks with them
    whether ``membership`` still holds.
    """

    __slots__ = ("batches", "changelog_offset", "done", "membership", "offsets", "others", "size")

    def __init__(self, membership: GroupMembership, offsets: Mapping[TopicPartition, int]) -> None:
        self.membership = membership
        self.offsets = offsets
        #: (topic, partition, messages as ``produce_batch`` takes them)
        self.batches: list[tuple[str, int, list[dict[str, Any]]]] = []
        #: records with headers
        self.others: list[ProducerRecord] = []
        self.size = 0
        #: of the last changelog entry, once acknowledged; -1 without one
        self.changelog_offset = -1
        self.done: asyncio.Future[None]

    def add(self, topic: str, partition: int, messages: list[dict[str, Any]]) -> None:
        """Put records without headers into one partition."""
        if messages:
            self.batches.append((topic, partition, messages))
            self.size += len(messages)

    def release(self) -> None:
        """Drop the records: their callback holds this part, and cycles are collected rarely."""
        self.batches = []
        self.others = []

    def on_changelog(self, error: KafkaError | None, message: Message) -> None:
        """Callback of the last changelog entry; an error also fails the transaction."""
        offset = message.offset()
        if error is None and offset is not None:
            self.changelog_offset = offset


class TransactionCoordinator:
    """Owns the producer's transactions and commits the parts of all partitions in them.

    ``commit`` is called from the worker's main loop; transactions end in a thread of this object.
    One that was aborted because a broker went away is produced again under the same membership: the
    broker refuses it when that does not hold any more. A producer whose client cannot go on is
    replaced by ``reopen``, unless its transaction may have been committed. Once a transaction has
    failed, ``commit`` raises InfrastructureError and none is begun: the worker must end, because
    its memory may be ahead of Kafka.
    """

    def __init__(
        self,
        producer: TransactionalProducer,
        group_id: str,
        timeout_ms: int,
        on_done: OnDone,
        hook: Hook = ignore_hook,
        instance_id: str | None = None,
        reopen: Reopen | None = None,
    ) -> None:
        same_id = (
            f"another worker runs with TRIGGER_INSTANCE_ID {instance_id}, then give each its own"
        )
        self._lost_id = "nothing of it is visible: it took longer than TRIGGER_TRANSACTION_TIMEOUT"
        self._lost_partitions = "another worker has taken over, nothing of it is visible"
        if instance_id:
            self._lost_id += f", or {same_id}"
            self._lost_partitions += f": this one was away for too long, or {same_id}"
        #: the last transaction is aborted for certain: its records may be produced again
        self._may_repeat = False
        #: the broker was asked to commit the last transaction
        self._is_committing = False
        self._began_s = 0.0
        self._producer = producer
        self._reopen = reopen
        self._group_id = group_id
        self._timeout_s = timeout_ms / 1000 + _SLACK_S
        self._patience_s = PATIENCE_S
        self._on_done = on_done
        self._hook = hook
        self._waiting: list[TransactionPart] = []
        self._task: asyncio.Task[None] | None = None
        self._failure: InfrastructureError | None = None
        #: the thread hangs in the client, and the process cannot end without being cut short
        self.is_stuck = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="transactions")

    async def commit(self, part: TransactionPart) -> None:
        """Return once the part is committed, its ``changelog_offset`` known.

        Raises InfrastructureError when it is not, or when that is not known.
        """
        if self._failure is not None:
            raise self._failure
        loop = asyncio.get_running_loop()
        part.done = loop.create_future()
        self._waiting.append(part)
        if self._task is None:
            self._task = loop.create_task(self._commit_waiting(), name="transactions")
        await part.done

    async def _commit_waiting(self) -> None:
        try:
            while self._waiting:
                # Processors that are ready to run come first: their units join this transaction.
                await asyncio.sleep(0)
                await self._transact(self._take())
        finally:
            self._task = None

    def _take(self) -> list[TransactionPart]:
        """The parts of the next transaction: of one membership, and not too many."""
        waiting = self._waiting
        membership, size, count = waiting[0].membership, 0, 0
        for part in waiting:
            if part.membership != membership or size > _RECORDS:
                break
            size += part.size
            count += 1
        self._waiting = waiting[count:]
        return waiting[:count]

    async def _transact(self, parts: list[TransactionPart]) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            started = time.perf_counter()
            outcome, failure = await self._try(parts)
            self._on_done(outcome, time.perf_counter() - started)
            if outcome != "aborted" or not self._may_repeat or attempt == _ATTEMPTS:
                break
            _log.warning(
                "a transaction was aborted, its records are produced again",
                extra={"action": "transaction_again", "attempt": attempt, "error": str(failure)},
            )
            await asyncio.sleep(_AGAIN_S)
        if failure is not None:
            self._failure = failure
            parts = parts + self._waiting
            self._waiting = []
        for part in parts:
            part.release()
            if part.done.done():
                continue
            if failure is None:
                part.done.set_result(None)
            else:
                part.done.set_exception(failure)

    async def _try(self, parts: list[TransactionPart]) -> tuple[str, InfrastructureError | None]:
        """Return how the transaction ended, and the error if it did not commit."""
        loop = asyncio.get_running_loop()
        try:
            metadata = parts[0].membership.metadata(self._group_id)
        except InfrastructureError as exc:
            return "fenced", exc
        try:
            self._begin(parts)
            offsets = [
                ClientPartition(tp.topic, tp.partition, offset)
                for part in parts
                for tp, offset in part.offsets.items()
            ]
            ending = loop.run_in_executor(self._thread, self._end, offsets, metadata)
            await asyncio.wait_for(ending, 2 * self._timeout_s + self._patience_s)
        except TimeoutError:
            self.is_stuck = True
            return "failed", InfrastructureError(
                "a transaction does not end: the Kafka client does not come back;"
                " start the worker again: it goes on from what was committed last"
            )
        except Exception as exc:
            try:
                return await loop.run_in_executor(self._thread, self._give_up, exc)
            except Exception as failure:
                _log.exception("a transaction cannot be aborted", extra={"action": "failed"})
                return "failed", InfrastructureError(
                    f"a transaction failed, and so did the attempt to abort it: {failure!r};"
                    " start the worker again: it goes on from what was committed last"
                )
        return "committed", None

    def _begin(self, parts: list[TransactionPart]) -> None:
        """Begin the transaction and produce into it; nothing here waits for the broker."""
        hook, producer = self._hook, self._producer
        self._is_committing, self._began_s = False, time.monotonic()
        hook("before 2")
        producer.begin_transaction()
        hook("after 2")
        hook("before 3")
        for part in parts:
            for topic, partition, messages in part.batches:
                if producer.produce_batch(topic, messages, partition) < len(messages):
                    error = next(each["_error"] for each in messages if "_error" in each)
                    raise KafkaException(error)
            for topic, number, key, value, headers in part.others:
                producer.produce(topic, value, key, number, headers=list(headers))
        hook("after 3")

    def _end(self, offsets: list[ClientPartition], metadata: bytes) -> None:
        """Commit what was produced. Runs in the thread.

        Offsets come after every record is acknowledged: a member of the next generation, which
        waits for offsets that are pending, then finds all records of this transaction before the
        end of the changelog that it reads up to.
        """
        hook, producer = self._hook, self._producer
        deadline = time.monotonic() + self._timeout_s
        hook("before 4")
        if producer.flush(self._timeout_s):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        hook("after 4")
        hook("before 5")
        _insist(deadline, producer.send_offsets_to_transaction, offsets, metadata)
        hook("after 5")
        hook("before 6")
        self._is_committing = True
        _insist(deadline + self._patience_s, producer.commit_transaction, most_s=self._timeout_s)
        hook("after 6")

    def _give_up(self, exc: Exception) -> tuple[str, InfrastructureError]:
        """Abort, so that no reader waits for this transaction. Runs in the thread."""
        error: Any = exc.args[0] if isinstance(exc, KafkaException) else None
        outcome, what = "aborted", "nothing of it is visible"
        codes = {None if error is None else error.code()}
        try:
            _insist(time.monotonic() + self._timeout_s, self._producer.abort_transaction)
        except KafkaException as failure:
            outcome, what = "failed", "Kafka does not say how it ended"
            codes.add(failure.args[0].code())
            # what was raised before may only say that the client was in no state to go on
            error = failure.args[0] if error is None else error
        code = None if error is None else error.code()
        if code in _LOST_PARTITIONS:
            outcome, what = "fenced", self._lost_partitions
        elif code in _LOST_ID:
            outcome, what = "fenced", self._lost_id
        self._may_repeat = error is not None and error.txn_requires_abort()
        if outcome != "aborted" and self._replace_producer(codes):
            outcome, what, self._may_repeat = "aborted", "nothing of it is visible", True
        reason = repr(exc) if error is None else error.str()
        return outcome, InfrastructureError(
            f"a transaction is {outcome}, {what}: {reason}; start the worker again: it goes on"
            " from what was committed last"
        )

    def _replace_producer(self, codes: set[int | None]) -> bool:
        """Whether there is another producer, and the transaction of the last one aborted by it.

        Not when that one may be committed; nor when another worker has the transactional id, unless
        the transaction is older than the broker lets any be: then the broker itself has ended it,
        and membership, which the next one is checked for, tells another worker.
        """
        is_old = time.monotonic() - self._began_s > self._timeout_s - _SLACK_S
        is_lost = bool(codes & _LOST_PARTITIONS) or (bool(codes & _LOST_ID) and not is_old)
        if self._reopen is None or self._is_committing or is_lost:
            return False
        _log.warning(
            "the Kafka client cannot go on, another one takes its place",
            extra={"action": "producer_replaced"},
        )
        last = self._producer
        try:
            self._producer = self._reopen()
        except KafkaException as exc:
            _log.warning(
                "Kafka does not begin transactions",
                extra={"action": "producer_failed", "code": exc.args[0].name()},
            )
            return False
        with suppress(KafkaException):  # nothing of it is waited for
            last.purge()
            last.flush(1.0)
        return True

    def flush(self, timeout_s: float) -> int:
        """Give the producer time for what is left; how many records are not on the broker."""
        return self._producer.flush(timeout_s)


def _insist(
    deadline: float, call: Callable[..., None], *args: object, most_s: float = math.inf
) -> None:
    """Call again while the client says that this is how to go on, until the deadline; each call
    takes ``most_s`` at most.
    """
    while True:
        left_s = min(most_s, max(0.1, deadline - time.monotonic()))
        try:
            call(*args, left_s)
        except KafkaException as exc:
            if not exc.args[0].retriable() or time.monotonic() >= deadline:
                raise
            time.sleep(0.05)
        else:
            return
