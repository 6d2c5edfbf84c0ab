"""The process that reads: lines to the shards, what they write to the files."""

import heapq
import marshal
import multiprocessing
import pickle
import select
import signal
import socket
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing.context import ForkProcess
from types import TracebackType
from typing import Final, Never, Self

from app.backtest.clock import Clock, Outage
from app.backtest.output import OutputFolder
from app.backtest.parallel.line_headers import LineHeader, read_headers
from app.backtest.parallel.link import Link
from app.backtest.parallel.merges import Merge, joined
from app.backtest.parallel.ordered_writer import OrderedWriter
from app.backtest.parallel.shard import (
    BATCH_SIZES,
    Batch,
    BatchSizes,
    Line,
    Part,
    ShardSummary,
    plain,
    run_shard,
)
from app.backtest.rates import DEFAULT_PARTITIONS, partition_of
from app.core.errors import InfrastructureError
from app.core.rules.model import Rules
from app.core.time.instants import END_OF_TIME_MS, Instant

_BATCH_BYTES: Final = 4 << 20
#: Batches that a shard may be behind what was read.
_MOST_BEHIND: Final = 4
_LINES_BETWEEN_LOOKS: Final = 256


class Shards:
    """Owns the processes of a backtest: sends them lines and writes their output in order.

    Use it with ``with``: no process is left behind. Raises InfrastructureError when a process ends
    before its work is done.
    """

    #: how the lines of a file are read for ``run`` and ``learn``
    read: Final = staticmethod(read_headers)

    def __init__(
        self,
        jobs: int,
        rules: Rules,
        output: OutputFolder,
        *,
        grace_ms: int,
        outage: Outage | None,
        partitions: int = DEFAULT_PARTITIONS,
        batch_sizes: BatchSizes = BATCH_SIZES,
        merges: Sequence[Merge] = (),
    ) -> None:
        """``merges`` are all of the history: one process decides for those that they connect."""
        self._jobs = jobs
        self._batch_sizes = batch_sizes
        self._rules = rules
        self._output = output
        self._grace_ms = grace_ms
        self._outage = outage
        self._partitions = partitions
        self._has_rates = any(channel.rates for channel in rules.channels.values())
        self._joined_customers = joined(merges, str)
        self._joined_partitions = joined(merges, self._partition_of)
        self._clock = Clock(grace_ms, outage)
        self._writer = OrderedWriter(jobs, output.write_line)
        self._links: list[Link] = []
        self._processes: list[ForkProcess] = []
        self._lines: list[list[Line]] = [[] for _ in range(jobs)]
        #: batches sent, and done by each shard
        self._sent = 0
        self._done = [0] * jobs
        self.counts: Counter[str] = Counter()
        self.learned: Counter[str] = Counter()
        #: how many customers have a record
        self.customers = 0
        #: for the next batch
        self._decide_from_ms: int | None = None

    @property
    def now_ms(self) -> int | None:
        """The largest arrival so far; None before the first."""
        return self._clock.now_ms

    def __enter__(self) -> Self:
        # a Ctrl-C is for this process, which ends the others
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def run(self, arrivals: Iterable[LineHeader], *, until_ms: int | None = None) -> None:
        """Take every line, run the clock on to ``until_ms``, and write all but the report."""
        jobs = self._jobs
        number = self._feed(arrivals, self._clock)
        self._send(self._clock.end(until_ms), number, is_last=True)
        while min(self._done) < self._sent:
            self._look(None)
        for shard in range(jobs):
            summary: ShardSummary = pickle.loads(self._next_message(shard))
            self.counts += summary.counts
            self.learned += summary.learned
            self.customers += summary.customers
            self._output.tally.add(summary.tally)

    def learn(self, arrivals: Iterable[LineHeader], from_ms: int) -> None:
        """Before ``run``: take a history that arrived before ``from_ms``, deciding nothing."""
        self._decide_from_ms = END_OF_TIME_MS
        clock = Clock(self._grace_ms)
        self._feed(arrivals, clock)
        self._send(clock.end(None), 0, is_last=False)
        self._decide_from_ms = from_ms

    def _feed(self, headers: Iterable[LineHeader], clock: Clock) -> int:
        """Send every line with the instant that it is read at; returns how many."""
        step, size = clock.step, 0
        number = in_batch = 0
        for number, seen in enumerate(headers, start=1):
            instant = step(seen.arrived_ms, seen.occurred_ms)
            line, shard = seen.line, self._shard_of(seen.customer_id)
            self._lines[shard].append((number, seen.number, plain(instant), line))
            in_batch += 1
            size += len(line)
            if in_batch == self._batch_sizes.batch_lines or size > _BATCH_BYTES:
                self._send(instant, number, is_last=False)
                in_batch = size = 0
            elif number % _LINES_BETWEEN_LOOKS == 0:
                self._look(0)
        return number

    def _shard_of(self, customer_id: str) -> int:
        """Customers of one partition share a send rate, so one shard decides for all of them."""
        if self._has_rates:
            partition = self._partition_of(customer_id)
            return self._joined_partitions.get(partition, partition) % self._jobs
        return hash(self._joined_customers.get(customer_id, customer_id)) % self._jobs

    def _partition_of(self, customer_id: str) -> int:
        return partition_of(customer_id, self._partitions)

    def written_customers(self) -> Iterator[bytes]:
        """After ``run``, once: the records of all customers by their ids."""
        found = heapq.merge(*(self._customers_of(shard) for shard in range(self._jobs)))
        return (line for _, line in found)

    def _customers_of(self, shard: int) -> Iterator[tuple[str, bytes]]:
        while part := marshal.loads(self._next_message(shard)):
            yield from part

    def _send(self, instant: Instant, last: int, *, is_last: bool) -> None:
        for shard, link in enumerate(self._links):
            batch: Batch = (
                self._lines[shard],
                plain(instant),
                last,
                self._decide_from_ms,
                is_last,
            )
            self._lines[shard] = []
            try:
                link.send(marshal.dumps(batch))
            except OSError:
                self._fail(shard)
        self._decide_from_ms = None
        self._sent += 1
        self._look(0)
        while min(self._done) < self._sent - _MOST_BEHIND:
            self._look(None)

    def _look(self, timeout_s: float | None) -> None:
        """Send and read what goes now; without a timeout wait until something does."""
        is_far_ahead = self._writer.is_far_ahead
        readable, writable, _ = select.select(
            [link for shard, link in enumerate(self._links) if not is_far_ahead(shard)],
            [link for link in self._links if link.has_unsent],
            [],
            timeout_s,
        )
        for shard, link in enumerate(self._links):
            try:
                if link in writable:
                    link.send_more()
                if link in readable:
                    link.read_more()
            except (OSError, EOFError):
                self._fail(shard)
            while link.messages and self._done[shard] < self._sent:
                message = link.messages.popleft()
                part: Part = marshal.loads(message)
                entries, reached, is_done = part
                self._done[shard] += is_done
                self._writer.take(shard, entries, reached, len(message))

    def _next_message(self, shard: int) -> bytes:
        try:
            return self._links[shard].next_message()
        except (OSError, EOFError):
            self._fail(shard)

    def _fail(self, shard: int) -> Never:
        process = self._processes[shard]
        process.join()
        code = process.exitcode or 0
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise InfrastructureError(
            f"process {shard + 1} of {self._jobs} of the backtest {how} before its work was done;"
            " what was written is incomplete. If memory ran out, try fewer with --jobs"
        ) from None

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")
        ours: list[socket.socket] = []
        for number in range(self._jobs):
            mine, its = socket.socketpair()
            ours.append(mine)
            self._links.append(Link(mine))
            process = context.Process(
                target=run_shard,
                args=(
                    its,
                    ours,
                    self._rules,
                    self._grace_ms,
                    self._outage,
                    self._partitions,
                    self._batch_sizes,
                ),
                name=f"backtest-{number + 1}",
                daemon=True,
            )
            process.start()
            self._processes.append(process)
            its.close()

    def _stop(self) -> None:
        for link in self._links:
            link.close()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()
