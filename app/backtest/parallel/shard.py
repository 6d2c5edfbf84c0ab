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
from app.backtest.output import DEAD, DECISIONS, DISPATCH, OUTCOMES, dead_line
from app.backtest.parallel.link import read_message, send_message
from app.backtest.parallel.ordered_writer import Entry, SortKey, event_place, timer_place
from app.backtest.replay import Replay
from app.backtest.report.tally import Tally
from app.backtest.saved_run import written_customers
from app.core.decisions import Decision
from app.core.errors import EventError
from app.core.outcomes import SendOutcome
from app.core.rules.model import Rules
from app.core.time.instants import Instant
from app.formats.encode import written, written_outcome

#: An ``Instant`` as it travels between processes
PlainInstant = tuple[int, int, bool]
#: (number of the arrival, number of the line, when it is read, the line)
Line = tuple[int, int, PlainInstant, bytes]
#: (lines, instant of the last arrival and its number, whether it is the last batch)
Batch = tuple[list[Line], PlainInstant, int, bool]
#: (entries, nothing before this place comes any more, whether the batch is done)
Part = tuple[list[Entry], SortKey, bool]


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How much goes at once: lines to all shards, bytes that a shard has written."""

    batch_lines: int = 4096
    part_bytes: int = 1 << 20


PACE: Final = Pace()


def plain(instant: Instant) -> PlainInstant:
    """The instant as it can be marshalled."""
    now_ms, watermark_ms, is_current = instant
    return now_ms, watermark_ms, is_current


class Share(msgspec.Struct, frozen=True):
    """What a shard has to say in the end."""

    counts: Counter[str]
    tally: Tally
    customers: int


def run_shard(
    end: socket.socket,
    not_ours: Sequence[socket.socket],
    rules: Rules,
    grace_ms: int,
    outage: Outage | None,
    partitions: int,
    pace: Pace,
) -> None:
    """Take batches until the last, then send the share and the customers' records.

    ``not_ours`` are ends that were inherited: while they are open nobody finds the other one gone.
    """
    for other in not_ours:
        other.close()
    shard = _Shard(end, rules, grace_ms, outage, partitions, pace.part_bytes)
    try:
        while message := read_message(end):
            lines, instant, last, is_last = marshal.loads(message)
            shard.take(lines, Instant(*instant), last)
            if is_last:
                shard.finish()
    except OSError:
        pass  # the process that reads is gone, and has said why


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
        self._tally = Tally()
        self._replay = Replay(
            rules,
            self._emit,
            outcome=self._emit_outcome,
            dead=self._emit_dead,
            grace_ms=grace_ms,
            outage=outage,
            partitions=partitions,
        )
        self._entries: list[Entry] = []
        self._size = 0
        #: of the arrival that is being handled; None while timers fire
        self._place: SortKey | None = None

    def take(self, lines: list[Line], instant: Instant, last: int) -> None:
        replay = self._replay
        for number, line_number, read_at, line in lines:
            at = Instant(*read_at)
            replay.fire_to(at)
            self._place = event_place(at, number)
            replay.handle(read_arrival(line, line_number), at)
            self._place = None
        replay.fire_to(instant)
        self._send(event_place(instant, last), is_done=True)

    def finish(self) -> None:
        customers = self._replay.customers
        share = Share(self._replay.counts, self._tally, len(customers))
        send_message(self._end, pickle.dumps(share))
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
        self._tally.take(decision)
        place = self._place or timer_place(decision, self._replay.phase)
        record, request = written(decision)
        if request is not None:
            self._add(place, DISPATCH, request)
        self._add(place, DECISIONS, record)

    def _emit_outcome(self, outcome: SendOutcome) -> None:
        assert self._place is not None
        self._tally.take_outcome(outcome)
        self._add(self._place, OUTCOMES, written_outcome(outcome))

    def _emit_dead(self, number: int, error: EventError) -> None:
        assert self._place is not None
        self._add(self._place, DEAD, dead_line(number, error))

    def _add(self, place: SortKey, file: int, line: bytes) -> None:
        self._entries.append((place, file, line + b"\n"))
        self._size += len(line)
        if self._size > self._part_bytes:
            self._send(place, is_done=False)

    def _send(self, reached: SortKey, *, is_done: bool) -> None:
        part: Part = self._entries, reached, is_done
        send_message(self._end, marshal.dumps(part))
        self._entries, self._size = [], 0
