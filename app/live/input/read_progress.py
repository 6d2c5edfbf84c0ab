"""How far each input partition was read, by the broker's answers."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from app.kafka.types import TopicPartition
from app.live.input.buffered_records import BufferedRecords

#: Ends that are remembered until they are reached are so far apart, and so many at most.
_END_SPACING_MS: Final = 100
_MOST_ENDS: Final = 256


class ReadState(NamedTuple):
    """One partition as the broker last answered for it."""

    #: when the answer came, epoch ms
    as_of_ms: int
    #: everything that was in the log then has been handed over by the fetch or before it
    is_at_end: bool
    #: records between what was handed over and the end of the log
    behind: int
    #: the last stable offset then: the offset after the last record to read; None: not known
    end: int | None
    #: when it was asked: what was in the log then is told of for certain
    asked_ms: int


class ReadProgress:
    """Tracks up to which instant each partition was read; an unknown end counts as not reached.

    Used from the worker's main loop only. ``buffered`` knows what was fetched and is not handled.
    """

    def __init__(self, buffered: BufferedRecords) -> None:
        self._buffered: Final = buffered
        self._states: dict[TopicPartition, ReadState] = {}
        #: (end, when it was that) of answers whose end has not been reached, oldest first
        self._ends: dict[TopicPartition, deque[tuple[int, int]]] = {}
        self._through_ms: dict[TopicPartition, int] = {}

    def fetched(self, states: Mapping[TopicPartition, ReadState]) -> None:
        """The broker answered; what it sent is counted in ``buffered`` already."""
        self._states.update(states)
        for tp, state in states.items():
            if state.is_at_end and not self._buffered.waiting(tp):
                self._through_ms[tp] = state.as_of_ms
                self._ends.pop(tp, None)
            elif state.end is not None:
                self._remember_end(tp, state.end, state.as_of_ms)

    def _remember_end(self, tp: TopicPartition, end: int, as_of_ms: int) -> None:
        ends = self._ends.setdefault(tp, deque())
        if ends and ends[-1][0] == end:
            ends[-1] = end, as_of_ms
        elif not ends or (as_of_ms >= ends[-1][1] + _END_SPACING_MS and len(ends) < _MOST_ENDS):
            ends.append((end, as_of_ms))

    def handled(self, tp: TopicPartition, position: int) -> None:
        """Everything before the offset ``position`` was handled durably."""
        ends = self._ends.get(tp)
        while ends and position >= ends[0][0]:
            self._through_ms[tp] = ends.popleft()[1]

    def forget(self, tps: Iterable[TopicPartition]) -> None:
        """Their partitions were revoked."""
        for tp in tps:
            self._states.pop(tp, None)
            self._ends.pop(tp, None)
            self._through_ms.pop(tp, None)

    def complete_as_of_ms(self, tp: TopicPartition) -> int | None:
        """The instant as of which everything in the partition was read and handled.

        None while it is not read up to its end, or records of it wait.
        """
        state = self._states.get(tp)
        if state is None or not state.is_at_end or self._buffered.waiting(tp):
            return None
        return state.as_of_ms

    def read_through_ms(self, tp: TopicPartition) -> int | None:
        """An instant as of which everything in the partition was read and handled.

        Unlike ``complete_as_of_ms`` it gets on while more and more records come.
        """
        return self._through_ms.get(tp)

    def read_up_as_of_ms(self, tp: TopicPartition) -> int | None:
        """The instant as of which everything in the partition is with its processor, for certain:
        that at which the broker was asked.

        None while more is known to be there, or nothing is known.
        """
        state = self._states.get(tp)
        if state is None or not state.is_at_end or self._buffered.in_transit(tp):
            return None
        return state.asked_ms

    def end_after(self, tp: TopicPartition, taken: int) -> int | None:
        """The end of the partition, if with ``taken`` more records all before it are handled.

        It may lie behind the last record: the markers of transactions, and what was aborted, are
        passed over. None while more is known to be there, or nothing is known.
        """
        state = self._states.get(tp)
        if state is None or not state.is_at_end or self._buffered.waiting(tp) > taken:
            return None
        return state.end

    def answered_ms(self, tp: TopicPartition | None = None) -> int | None:
        """When the broker last answered for the partition, or for any; None: never.

        For any, None also while records wait to be handled: it may not have been asked.
        """
        if tp is not None:
            state = self._states.get(tp)
            return None if state is None else state.as_of_ms
        if self._buffered.total():
            return None
        return max((state.as_of_ms for state in self._states.values()), default=None)

    def lag_records(self, tp: TopicPartition) -> int | None:
        """Records of the partition that are not handled, by the broker's last answer.

        Markers of transactions count as records. None before the first answer.
        """
        state = self._states.get(tp)
        return None if state is None else state.behind + self._buffered.waiting(tp)
