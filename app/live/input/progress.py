"""What the transport and the processor tell each other about the input partitions.

Used from the worker's main loop only. The transport reports what it fetched and how far each
partition has been read; the processor reports what it has done with it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, NamedTuple

from faust.types import TP

from app.core.errors import InfrastructureError
from app.live.input.consumer_group import NO_MEMBER, GroupMembership

Revoked = Callable[[set[int]], Awaitable[None]]


class ReadState(NamedTuple):
    """One partition as the broker last answered for it."""

    #: when the answer came, epoch ms
    as_of_ms: int
    #: everything that was in the log then has been handed over by the fetch or before it
    is_at_end: bool
    #: records between what was handed over and the end of the log
    behind: int
    #: the offset after the last record that was in the log then; None when not known
    end: int | None = None


class InputProgress:
    """Buffered records, ends and commit positions of the input topics' partitions.

    ``capacity`` is how many records of one partition may wait before no more are asked for.
    Positions are handed out for commit with ``commits`` only; otherwise transactions commit them.
    """

    def __init__(self, topics: Mapping[str, str], capacity: int, *, commits: bool = True) -> None:
        #: name on the broker -> logical name
        self.logical: Final = {actual: logical for logical, actual in topics.items()}
        self._actual = dict(topics)
        self._capacity = capacity
        #: fetched and not handled; of these, not yet with the processor
        self._waiting: dict[TP, int] = {}
        self._in_transit: dict[TP, int] = {}
        self._states: dict[TP, ReadState] = {}
        #: an answer whose end has not been reached yet, and the last one whose end has
        self._ahead: dict[TP, ReadState] = {}
        self._through_ms: dict[TP, int] = {}
        self._positions: dict[TP, int] = {}
        self._commits = commits
        #: who this worker is in its group, as of the last assignment
        self.membership = NO_MEMBER
        self._room = asyncio.Event()
        self._has_joined = False
        #: largest record timestamp read by this worker, epoch ms
        self.newest_ms = 0
        self.on_revoked: Revoked = _nobody
        self.on_commit_failed: Callable[[], None] = _nothing
        #: called in the reader's own thread
        self.on_group_lost: Callable[[InfrastructureError], None] = _unheard

    def tp(self, logical: str, partition: int) -> TP:
        """The topic partition on the broker."""
        return TP(self._actual[logical], partition)

    def is_input(self, tp: TP) -> bool:
        """Whether this is a partition of an input topic."""
        return tp.topic in self.logical

    def has_joined(self) -> bool:
        """Whether the group has ever told this worker its partitions, were it none."""
        return self._has_joined

    # -- the transport's side

    def fetched(self, counts: Mapping[TP, int], states: Mapping[TP, ReadState]) -> None:
        """These many records are on their way, and this is how far each partition was read."""
        for tp, count in counts.items():
            self._waiting[tp] = self._waiting.get(tp, 0) + count
            self._in_transit[tp] = self._in_transit.get(tp, 0) + count
        self._states.update(states)
        for tp, state in states.items():
            if state.is_at_end and not self._waiting.get(tp, 0):
                self._through_ms[tp] = state.as_of_ms
                self._ahead.pop(tp, None)
            elif state.end is not None:
                self._ahead.setdefault(tp, state)

    def with_room(self, tps: Iterable[TP]) -> set[TP]:
        """Those of the partitions that more records may be asked for."""
        waiting, capacity = self._waiting, self._capacity
        return {tp for tp in tps if waiting.get(tp, 0) < capacity}

    async def wait_for_room(self, timeout_s: float) -> None:
        """Until the processor made room anywhere, or the timeout."""
        self._room.clear()
        try:
            await asyncio.wait_for(self._room.wait(), timeout_s)
        except TimeoutError:
            return

    def positions(self) -> Mapping[TP, int]:
        """What may be committed: next offset to read, per partition where anything was done."""
        return self._positions if self._commits else {}

    def joined(self, membership: GroupMembership) -> None:
        """The group has told this worker its partitions, were it none, under this membership."""
        self._has_joined = True
        self.membership = membership

    async def revoked(self, tps: set[TP]) -> None:
        """These partitions are about to go: the unit in progress ends, its position is known."""
        self.membership = NO_MEMBER
        inputs = {tp for tp in tps if self.is_input(tp)}
        await self.on_revoked({tp.partition for tp in inputs})
        for tp in inputs:
            self._waiting.pop(tp, None)
            self._in_transit.pop(tp, None)
            self._states.pop(tp, None)
            self._ahead.pop(tp, None)
            self._through_ms.pop(tp, None)

    def forget_positions(self, tps: Iterable[TP]) -> None:
        """They belong to another worker now."""
        for tp in tps:
            self._positions.pop(tp, None)

    # -- the processor's side

    def resumed(self, committed: Mapping[TP, int]) -> None:
        """Work on partitions begins where the group's offsets are."""
        self._positions.update(committed)

    def fence(self, partition: int) -> dict[TP, int]:
        """An offset to commit where nothing was read, so that the broker checks the membership.

        It is what the group has already; 0 when it has none, and then reading begins at the start.
        """
        tp = min(TP(actual, partition) for actual in self.logical)
        return {tp: self._positions.get(tp, 0)}

    def arrived(self, tp: TP, count: int) -> None:
        """So many records are with the processor."""
        self._in_transit[tp] = max(0, self._in_transit.get(tp, 0) - count)

    def unit_done(
        self, partition: int, taken: Mapping[str, int], positions: Mapping[str, int]
    ) -> None:
        """A unit of a partition number is durable; both are by logical topic."""
        for logical, position in positions.items():
            self.done(self.tp(logical, partition), taken.get(logical, 0), position)

    def done(self, tp: TP, count: int, position: int) -> None:
        """So many records were handled durably, and ``position`` may be committed."""
        self.dropped(tp, count)
        self._positions[tp] = position
        ahead = self._ahead.get(tp)
        if ahead is not None and ahead.end is not None and position >= ahead.end:
            del self._ahead[tp]
            self._through_ms[tp] = ahead.as_of_ms

    def dropped(self, tp: TP, count: int) -> None:
        """So many records left the buffer."""
        self._waiting[tp] = max(0, self._waiting.get(tp, 0) - count)
        self._room.set()

    def complete_as_of_ms(self, tp: TP) -> int | None:
        """The instant as of which everything in the partition was read and handled.

        None while it is not read up to its end, or records of it wait.
        """
        state = self._states.get(tp)
        if state is None or not state.is_at_end or self._waiting.get(tp, 0):
            return None
        return state.as_of_ms

    def read_through_ms(self, tp: TP) -> int | None:
        """An instant as of which everything in the partition was read and handled.

        Unlike ``complete_as_of_ms`` it gets on while more and more records come.
        """
        return self._through_ms.get(tp)

    def answered_ms(self) -> int | None:
        """When the broker last answered for any partition; None while records wait to be handled
        (it may not have been asked) or nothing is read.
        """
        if any(self._waiting.values()):
            return None
        return max((state.as_of_ms for state in self._states.values()), default=None)

    def is_read_up(self, tp: TP) -> bool:
        """Whether all that the broker had when it last answered is with the processor."""
        state = self._states.get(tp)
        return state is not None and state.is_at_end and not self._in_transit.get(tp, 0)

    def lag_records(self, tp: TP) -> int | None:
        """Records of the partition that are not handled, by the broker's last answer.

        Markers of transactions count as records. None before the first answer.
        """
        state = self._states.get(tp)
        return None if state is None else state.behind + self._waiting.get(tp, 0)

    def waiting(self) -> int:
        """Records of all partitions that are not handled yet."""
        return sum(self._waiting.values())


async def _nobody(_: set[int]) -> None:
    """Nobody works on the partitions yet."""


def _nothing() -> None:
    """Nobody counts yet."""


def _unheard(error: InfrastructureError) -> None:
    """Nobody listens yet."""
    raise error
