"""One process of a backtest: it decides for its share of the customers.

Only the process that reads sees all arrivals, so it says at which instant each line is read.
"""

import marshal
import pickle
import socket
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from app.backtest.clock import Outage
from app.backtest.history import read_arrival
from app.backtest.output import OutputLines
from app.backtest.parallel.link import read_message, send_message
from app.backtest.parallel.ordered_writer import (
    Entry,
    SortKey,
    event_key,
    is_decided_with,
    timer_key,
)
from app.backtest.replay import Replay
from app.backtest.report.tally import Tally
from app.backtest.saved_run import written_customers
from app.core.decisions import Decision
from app.core.rules.model import Rules
from app.core.time.instants import Instant

#: An ``Instant`` as it travels between processes
PlainInstant = tuple[int, int, bool]
#: (number of the arrival, number of the line, when it is read, the line)
Line = tuple[int, int, PlainInstant, bytes]
#: (lines, instant of the last arrival and its number, from when on to decide (None: as before),
#: whether it is the last batch)
Batch = tuple[list[Line], PlainInstant, int, int | None, bool]
#: (entries, nothing before this key comes any more, whether the batch is done)
Part = tuple[list[Entry], SortKey, bool]


class BatchSizes(msgspec.Struct, frozen=True, kw_only=True):
    """How much goes at once: lines to all shards, bytes that a shard has written."""

    batch_lines: int = 4096
    part_bytes: int = 1 << 20


BATCH_SIZES: Final = BatchSizes()


def plain(instant: Instant) -> PlainInstant:
    """The instant as it can be marshalled."""
    return instant.now_ms, instant.watermark_ms, instant.is_current


class ShardSummary(msgspec.Struct, frozen=True):
    """What a shard has come to at the end."""

    counts: Counter[str]
    learned: Counter[str]
    tally: Tally
    customers: int


def run_shard(
    end: socket.socket,
    not_ours: Sequence[socket.socket],
    rules: Rules,
    grace_ms: int,
    outage: Outage | None,
    partitions: int,
    batch_sizes: BatchSizes,
) -> None:
    """Take batches until the last, then send the summary and the customers' records.

    ``not_ours`` are inherited ends of sockets: they are closed, so that the end of the other
    process is noticed.
    """
    for other in not_ours:
        other.close()
    shard = _Shard(end, rules, grace_ms, outage, partitions, batch_sizes.part_bytes)
    try:
        while message := read_message(end):
            batch: Batch = marshal.loads(message)
            shard.take(batch)
            if batch[-1]:
                shard.finish()
    except OSError:
        pass  # the process that reads is gone, and has logged why


class _Entries(OutputLines):
    """Collects lines under ``key``, the place of what is being decided."""

    def __init__(self) -> None:
        super().__init__()
        self.key: SortKey = ()
        self.entries: list[Entry] = []
        self.size = 0

    def write_line(self, file: int, line: bytes) -> None:
        """Keep it until the part is sent."""
        self.entries.append((self.key, file, line))
        self.size += len(line)


class _Shard:
    def __init__(
        self,
        end: socket.socket,
        rules: Rules,
        grace_ms: int,
        outage: Outage | None,
        partitions: int,
        part_bytes: int,
    ) -> None:
        self._end = end
        self._part_bytes = part_bytes
        self._output = _Entries()
        self._replay = Replay(
            rules,
            self._emit,
            outcome=self._output.write_outcome,
            stopped=self._output.tally.take_stopped,
            dead=self._output.write_dead,
            grace_ms=grace_ms,
            outage=outage,
            partitions=partitions,
        )
        #: of the arrival that is being handled; None while timers fire
        self._event_key: SortKey | None = None
        #: the decision that was made last
        self._before: Decision | None = None

    def take(self, batch: Batch) -> None:
        lines, instant, last, decide_from_ms, _ = batch
        replay = self._replay
        if decide_from_ms is not None:
            replay.decide_from(decide_from_ms)
        for number, line_number, read_at, line in lines:
            at = Instant(*read_at)
            replay.fire_to(at)
            self._event_key = self._output.key = event_key(at, number)
            replay.handle(read_arrival(line, line_number), at)
            self._event_key = None
        end = Instant(*instant)
        replay.fire_to(end)
        self._send(event_key(end, last), is_done=True)

    def finish(self) -> None:
        customers = self._replay.customers
        replay = self._replay
        summary = ShardSummary(replay.counts, replay.learned, self._output.tally, len(customers))
        send_message(self._end, pickle.dumps(summary))
        part: list[tuple[str, bytes]] = []
        size = 0
        for customer_id, line in written_customers(customers):
            part.append((customer_id, line))
            size += len(line)
            if size > self._part_bytes:
                send_message(self._end, marshal.dumps(part))
                part, size = [], 0
        if part:
            send_message(self._end, marshal.dumps(part))
        send_message(self._end, marshal.dumps([]))

    def _emit(self, decision: Decision) -> None:
        output = self._output
        if self._event_key is None and not is_decided_with(self._before, decision):
            output.key = timer_key(decision, self._replay.phase)
        self._before = decision
        output.write(decision)
        if output.size > self._part_bytes:
            self._send(output.key, is_done=False)

    def _send(self, reached: SortKey, *, is_done: bool) -> None:
        output = self._output
        part: Part = output.entries, reached, is_done
        send_message(self._end, marshal.dumps(part))
        output.entries, output.size = [], 0
