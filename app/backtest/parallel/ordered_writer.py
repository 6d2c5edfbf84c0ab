"""What the shards write, in the order in which one process would have written it.

Timers fire in the order of spec section 4, events are read in the order of arrival, and of a timer
and an event the one that is decided first comes first. All of it follows from a sort key:

- a timer's: (now, phase, its time, 0, then the order of timers that fire at one time),
- an event's: (now, phase, watermark, 1, number of the arrival).

A timer whose time is the watermark fires before the event, so 0 comes before 1. The phase
separates what happens at one now at the end of an outage.
"""

from bisect import bisect_right
from collections.abc import Callable
from operator import itemgetter
from typing import Final

from app.backtest.replay import Phase
from app.core.decisions import Decision
from app.core.time.instants import BEGINNING_OF_TIME_MS, Instant

SortKey = tuple[int | str | None, ...]
#: (sort key, number of the file, line with its end)
Entry = tuple[SortKey, int, bytes]

_key: Final = itemgetter(0)
_FIRST: Final[SortKey] = (2 * BEGINNING_OF_TIME_MS,)
#: A shard this far ahead of the others has to wait.
_MOST_AHEAD_BYTES: Final = 8 << 20


def timer_key(decision: Decision, phase: Phase) -> SortKey:
    """The key of a decision on a step whose timer fired by itself."""
    return (
        decision.decided_ms,
        int(phase),
        decision.fires_ms,
        0,
        -decision.priority,
        decision.trigger,
        decision.customer_id,
        decision.key,
        decision.step,
        decision.anchor_ms,
    )


def is_decided_with(before: Decision | None, decision: Decision) -> bool:
    """Whether a step had no timer of its own: it follows the send of the step that was decided
    before it, without delay. Its place is that of the other.
    """
    return (
        before is not None
        and decision.fires_ms == decision.decided_ms == before.decided_ms
        and decision.customer_id == before.customer_id
        and decision.trigger == before.trigger
        and decision.key == before.key
        and decision.anchor_ms == before.anchor_ms
    )


def event_key(instant: Instant, number: int) -> SortKey:
    """The key of all that is made of an arrival, timers that it makes due included."""
    phase = Phase.CURRENT if instant.is_current else Phase.CATCHING_UP
    return (instant.now_ms, int(phase), instant.watermark_ms, 1, number)


class OrderedWriter:
    """Takes entries of each shard in their order and writes them all in one."""

    def __init__(self, shards: int, write: Callable[[int, bytes], object]) -> None:
        self._write = write
        self._waiting: list[list[Entry]] = [[] for _ in range(shards)]
        self._waiting_bytes = [0] * shards
        #: nothing before it comes from that shard any more
        self._reached: list[SortKey] = [_FIRST] * shards

    def take(self, shard: int, entries: list[Entry], reached: SortKey, size: int) -> None:
        """``size`` bytes of entries, behind which nothing before ``reached`` comes from the shard.

        Writes what nothing can come before any more.
        """
        self._waiting[shard] += entries
        self._waiting_bytes[shard] += size
        self._reached[shard] = reached
        until = min(self._reached)
        ready: list[Entry] = []
        for number, waiting in enumerate(self._waiting):
            if not waiting:
                continue
            if waiting[-1][0] <= until:
                ready += waiting
                self._waiting[number] = []
                self._waiting_bytes[number] = 0
            else:
                count = bisect_right(waiting, until, key=_key)
                ready += waiting[:count]
                del waiting[:count]
        ready.sort(key=_key)  # stable: what has one key is of one shard, and in order
        for _, file, line in ready:
            self._write(file, line)

    def is_far_ahead(self, shard: int) -> bool:
        """Whether a shard's entries pile up because another one is not so far."""
        return self._waiting_bytes[shard] > _MOST_AHEAD_BYTES
