"""Finds out what Kafka no longer has although this engine relies on it.

Retention may delete input that was never read; an operator may delete a topic and create it again,
or empty the changelog, which is the only copy of the state. Neither shows by itself: the reader is
put to where the log begins now and goes on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, Protocol

from app.core.errors import InfrastructureError
from app.kafka.types import TopicPartition
from app.settings.model import Settings

_log: Final = logging.getLogger(__name__)

#: A new leader says for a moment that a log ends before what its predecessor acknowledged: only
#: what stays so is believed.
_LOOKS: Final = 20
_LOOK_S: Final = 1.0

Offsets = Mapping[TopicPartition, int]

_CONTINUE: Final = "; start the worker with TRIGGER_ON_LOST_DATA=continue when that is on purpose"


class LogOffsets(Protocol):
    """The part of ``BrokerOffsets`` that is asked."""

    async def starts(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]: ...
    async def ends(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]: ...
    async def committed(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]: ...


class LocalState(Protocol):
    """The part of the customers table's store that is asked."""

    def persisted_offset(self, tp: TopicPartition) -> int | None: ...
    def discard(self, number: int) -> None: ...


class LostDataCheck:
    """Compares what was read and what is kept with what Kafka has: before work on it begins, and
    of an input when the broker no longer has what comes next.

    ``on_input_lost`` is called with a topic and the number of its records that were deleted unread.
    """

    def __init__(
        self,
        settings: Settings,
        offsets: LogOffsets,
        on_input_lost: Callable[[str, int], None],
        look_s: float = _LOOK_S,
    ) -> None:
        self._settings = settings
        self._offsets = offsets
        self._on_input_lost = on_input_lost
        self._look_s = look_s
        #: up to which offset of each input partition the loss was counted
        self._counted: dict[TopicPartition, int] = {}

    async def check_inputs(self, committed: Offsets) -> None:
        """Count, once, what was deleted before it was read; ``committed`` is what comes next of
        each partition. Raises InfrastructureError for topics that end before it, unless that is on
        purpose.
        """
        counted = self._counted
        unread = {tp: max(offset, counted.get(tp, 0)) for tp, offset in committed.items()}
        for tp, count in deleted_unread(unread, await self._offsets.starts(unread)).items():
            counted[tp] = unread[tp] + count
            self._on_input_lost(tp.topic, count)
            _log.error(
                "input was deleted before it was read: its retention is too short",
                extra={
                    "action": "input_lost",
                    "topic": tp.topic,
                    "partition": tp.partition,
                    "records": count,
                    "from_offset": unread[tp],
                },
            )

        await self.check_ends(committed)

    async def check_ends(self, read: Offsets) -> None:
        """Raises InfrastructureError for topics that end before what was read of them, unless that
        is on purpose.
        """

        async def look() -> InfrastructureError | None:
            return shortened_inputs(read, await self._offsets.ends(read))

        if read:
            await self._accept_or_raise(look)

    async def check_state(self, changelogs: Iterable[TopicPartition], state: LocalState) -> None:
        """Raises InfrastructureError for state that is gone, unless that is on purpose: then the
        partition starts from nothing.
        """
        active = sorted(changelogs)
        starts, ends = await self._offsets.starts(active), await self._offsets.ends(active)
        suspects = [
            tp
            for tp in active
            if lost_state(tp, starts[tp], ends[tp], _kept(state, tp)) is not None
        ]
        await asyncio.gather(*(self._check_partition(tp, state) for tp in suspects))

    async def _check_partition(self, tp: TopicPartition, state: LocalState) -> None:
        async def look() -> InfrastructureError | None:
            starts = await self._offsets.starts([tp])
            ends = await self._offsets.ends([tp])
            error = lost_state(tp, starts[tp], ends[tp], _kept(state, tp))
            return error if error is not None and await self._is_read(tp.partition) else None

        if await self._accept_or_raise(look):
            state.discard(tp.partition)

    async def _is_read(self, partition: int) -> bool:
        """Whether the group has read anything that the state of a partition comes from."""
        topics = self._settings.read_topics.values()
        committed = await self._offsets.committed(
            TopicPartition(topic, partition) for topic in topics
        )
        return any(offset > 0 for offset in committed.values())

    async def _accept_or_raise(self, look: Callable[[], Awaitable[Exception | None]]) -> bool:
        """Whether something is lost, on purpose; raises when it is not."""
        error = await look()
        for _ in range(_LOOKS):
            if error is None:
                return False
            await asyncio.sleep(self._look_s)
            error = await look()
        if error is None:
            return False
        if self._settings.on_lost_data == "stop":
            raise error
        _log.warning(
            "data is lost, the worker goes on without it",
            extra={"action": "lost_data", "what": str(error)},
        )
        return True


def _kept(state: LocalState, tp: TopicPartition) -> int:
    offset = state.persisted_offset(tp)
    return -1 if offset is None else offset


def deleted_unread(committed: Offsets, starts: Offsets) -> dict[TopicPartition, int]:
    """How many records each input partition lost between what was committed and its start now."""
    return {
        tp: starts[tp] - offset
        for tp, offset in committed.items()
        if tp in starts and starts[tp] > offset
    }


def shortened_inputs(read: Offsets, ends: Offsets) -> InfrastructureError | None:
    """What to raise when input partitions end before what was read of them.

    New records would take offsets that the state already contains, and be skipped.
    """
    found = {tp: offset for tp, offset in read.items() if tp in ends and ends[tp] < offset}
    if not found:
        return None
    places = ", ".join(
        f"{tp.topic}[{tp.partition}] ends at {ends[tp]}, it was read up to {offset}"
        for tp, offset in sorted(found.items())
    )
    return InfrastructureError(
        f"input topics are shorter than what was read of them: {places}. They were deleted and made"
        " again, or a broker lost records; new records would be taken for those that the state"
        " has. Read them under another TRIGGER_APP_ID, or wait for publishers to send what was"
        f" lost{_CONTINUE}: records at offsets that the state has are then skipped"
    )


def lost_state(
    changelog: TopicPartition, start: int, end: int, kept: int
) -> InfrastructureError | None:
    """What to raise when a partition's state is gone, if any of its input was read.

    ``start`` and ``end`` are those of the changelog partition, ``kept`` is the last of its offsets
    that the local database has, -1 without one.
    """
    if kept >= end and kept >= 0:
        what = f"ends at {end}, and this worker's database has it up to {kept}"
    elif start == end and kept < 0:
        what = f"is empty, at offset {end}, and this worker has no database of it"
    elif start > kept + 1:
        what = f"begins at {start}, and this worker's database has it up to {kept}"
    else:
        return None
    return InfrastructureError(
        f"{changelog.topic}[{changelog.partition}] {what}: state of customers whose events were"
        " read is gone, they would be taken for new. Records of the changelog were deleted, or the"
        " topic was deleted and made again; if another worker still has its data directory, start"
        f" it first{_CONTINUE}"
    )
