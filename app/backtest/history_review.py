"""What is odd about an event file as a whole, though each line of it may be right.

A history stands in arrival order, and now is the largest arrival so far: one event from the future
moves now for all that come after it. Times are epoch ms.
"""

from collections.abc import Iterator
from typing import Any, Final, Protocol
from zlib import crc32

import msgspec
import orjson

from app.core.time.instants import format_rfc3339

_DAY_MS: Final = 86_400_000
_YEAR_MS: Final = 31_556_952_000
#: A line this far before or ahead of the lines around it leaps.
LEAP_MS: Final = _DAY_MS
#: 2000-01-01: no shop that is online has events from before.
_OLDEST_MS: Final = 946_684_800_000
#: Epoch seconds from 2001 on, read as milliseconds, lie between these.
_SECONDS_FROM_MS: Final = 1_000_000_000
_SECONDS_TO_MS: Final = 10_000_000_000
_SLOTS: Final = 1 << 17
#: Of longer files one event id in so many is looked at.
_ALL_IDS: Final = 100_000
_ID_SHARE: Final = 16


#: An event whose id may come again: id, customer, hash of its content, line.
_Known = tuple[str, str, int, int]


class _Event(Protocol):
    """What is looked at of an event."""

    topic: str
    event_id: str
    type: str
    customer_id: str
    data: dict[str, Any]


class _Found(msgspec.Struct):
    """How many lines are odd in one way, and the first of them."""

    count: int = 0
    number: int = 0
    arrived_ms: int = 0
    #: the time that it is compared with
    other_ms: int = 0

    def add(self, number: int, arrived_ms: int, other_ms: int) -> None:
        if not self.count:
            self.number, self.arrived_ms, self.other_ms = number, arrived_ms, other_ms
        self.count += 1


class _Shared(msgspec.Struct):
    """How many lines have the event id of another, the first of them, and that other's line."""

    count: int = 0
    number: int = 0
    other: int = 0

    def add(self, number: int, other: int) -> None:
        if not self.count:
            self.number, self.other = number, other
        self.count += 1


class HistoryReview:
    """Looks at the lines of one file in their order, in bounded memory.

    ``machine_ms`` is the present: what arrives a day after it has not happened yet.
    """

    def __init__(self, name: str, machine_ms: int) -> None:
        self._name = name
        self._latest_ms = machine_ms + LEAP_MS
        self._lines = 0
        self._max_ms: int | None = None
        #: the last line that leapt ahead, its time, and the largest before it (None: the first)
        self._leap_number = 0
        self._leap_ms = 0
        self._before_leap_ms: int | None = None
        self._counted_leap = 0
        self._held_back = 0
        self._ahead = _Found()
        self._back = _Found()
        self._future = _Found()
        self._seconds = _Found()
        self._old = _Found()
        #: events that have the id of another, of the same customer and of another customer
        self._own_ids = _Shared()
        self._foreign_ids = _Shared()
        #: by slot of the id's hash, the last event that fell into it
        self._slots: list[_Known | None] = [None] * _SLOTS

    def take(
        self, number: int, arrived_ms: int | None, occurred_ms: int | None, event: _Event | None
    ) -> None:
        """Look at one line; ``event`` is None for an erasure and for what is not understood."""
        if event is not None and occurred_ms is not None:
            self._lines += 1
            event_id = event.event_id
            key = crc32(event_id.encode(errors="replace"))
            if self._lines <= _ALL_IDS or not (key >> 28) % _ID_SHARE:
                content = _content_of(event, occurred_ms)
                slot = key % _SLOTS
                known = self._slots[slot]
                if known is None or known[0] != event_id:
                    self._slots[slot] = event_id, event.customer_id, content, number
                elif known[2] != content:
                    is_own = known[1] == event.customer_id
                    shared = self._own_ids if is_own else self._foreign_ids
                    shared.add(number, known[3])
            if occurred_ms < _OLDEST_MS:
                is_seconds = _SECONDS_FROM_MS <= occurred_ms < _SECONDS_TO_MS
                (self._seconds if is_seconds else self._old).add(number, occurred_ms, 0)
                return
        if arrived_ms is None:
            return
        if arrived_ms > self._latest_ms:
            self._future.add(number, arrived_ms, self._latest_ms)
        max_ms = self._max_ms
        if max_ms is None or arrived_ms > max_ms:
            if max_ms is None or arrived_ms - max_ms > LEAP_MS:
                self._leap_number, self._leap_ms = number, arrived_ms
                self._before_leap_ms = max_ms
            self._max_ms = arrived_ms
        elif max_ms - arrived_ms > LEAP_MS:
            self._fall_back(number, arrived_ms, max_ms)

    def _fall_back(self, number: int, arrived_ms: int, max_ms: int) -> None:
        """Either the largest arrival leapt ahead of its neighbours, or this line leaps back."""
        before_ms = self._before_leap_ms
        if before_ms is None:
            fits_before = max_ms - arrived_ms > _YEAR_MS
        else:
            fits_before = arrived_ms >= before_ms - LEAP_MS
        if not fits_before or max_ms - self._leap_ms > LEAP_MS:
            self._back.add(number, arrived_ms, max_ms)
            return
        self._held_back += 1
        if self._counted_leap != self._leap_number:
            self._counted_leap = self._leap_number
            other_ms = arrived_ms if before_ms is None else before_ms
            self._ahead.add(self._leap_number, self._leap_ms, other_ms)

    def remarks(self) -> Iterator[str]:
        """One sentence for each kind of oddity, with the first line of it and what to do."""
        for found, text in (
            (self._seconds, self._seconds_text),
            (self._old, self._old_text),
            (self._ahead, self._ahead_text),
            (self._back, self._back_text),
            (self._future, self._future_text),
        ):
            is_reported = found is self._future and found.number == self._ahead.number
            if found.count and not is_reported:
                yield f"{self._name}:{found.number}: {text(found)}"
        if self._own_ids.count:
            yield f"{self._name}:{self._own_ids.number}: {_own_ids_text(self._own_ids)}"
        if self._foreign_ids.count:
            yield f"{self._name}:{self._foreign_ids.number}: {_foreign_ids_text(self._foreign_ids)}"

    def _seconds_text(self, found: _Found) -> str:
        return (
            f"occurred_at lies in 1970 ({_time(found.arrived_ms)}) on {self._share(found)}:"
            " epoch seconds, expected epoch milliseconds; multiply by 1000"
        )

    def _old_text(self, found: _Found) -> str:
        return (
            f"occurred_at lies in {_time(found.arrived_ms)[:4]} on {self._share(found)},"
            " expected when it happened; correct the time"
        )

    def _ahead_text(self, found: _Found) -> str:
        return (
            f"lies {_span(found.arrived_ms - found.other_ms)} ahead of the lines around it"
            f" ({_time(found.arrived_ms)} after {_time(found.other_ms)}), and now stays there for"
            f" {self._held_back} later {_lines(self._held_back)}; correct its time, or give"
            " arrived_at"
        )

    def _back_text(self, found: _Found) -> str:
        return (
            f"lies {_span(found.other_ms - found.arrived_ms)} before a line above it"
            f" ({_time(found.arrived_ms)} after {_time(found.other_ms)}), as"
            f" {self._share(found)}: expected arrival order; sort the file, or give arrived_at"
        )

    def _future_text(self, found: _Found) -> str:
        return (
            f"lies in the future ({_time(found.arrived_ms)}), as {self._share(found)}; correct the"
            " time if it is not meant"
        )

    def _share(self, found: _Found) -> str:
        return f"{found.count} of {max(self._lines, found.count)} lines"


def _own_ids_text(shared: _Shared) -> str:
    return (
        f"has the event_id of another event (line {shared.other}), as {shared.count}"
        f" {_lines(shared.count)}: the second one counts as a duplicate and is ignored; give each"
        " event an id of its own"
    )


def _foreign_ids_text(shared: _Shared) -> str:
    return (
        f"has the event_id of another customer's event (line {shared.other}), as {shared.count}"
        f" {_lines(shared.count)}: both are applied, unless the customers are merged before the"
        " second one comes; give each event an id of its own"
    )


def _content_of(event: _Event, occurred_ms: int) -> int:
    """A hash of all that tells the event from another with its id."""
    data = event.data
    content: object
    try:
        content = frozenset(data.items())
    except TypeError:  # nested
        content = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    return hash((event.topic, event.type, event.customer_id, occurred_ms, content))


def _time(instant_ms: int) -> str:
    return format_rfc3339(instant_ms)


def _span(span_ms: int) -> str:
    if span_ms >= 2 * _YEAR_MS:
        return f"{round(span_ms / _YEAR_MS)} years"
    return f"{span_ms // _DAY_MS} days" if span_ms >= 2 * _DAY_MS else "a day"


def _lines(count: int) -> str:
    return "line" if count == 1 else "lines"
