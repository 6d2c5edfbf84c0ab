"""Repartition progress: up to which event time all misrouted records have been forwarded.

A purchase that lies on a wrong partition must stop the reminder that its own partition would send.
So W of the repartition topic is not how far that topic was read, but the least event time that any
partition of this worker has reached in a topic with misrouted records to be expected, once all
that was forwarded by then has been read. What lies unread on partitions of other workers is not
known here.

The same holds for what merged customers send on. A marketing step waits as well while a partition
with merged customers is not current, for what is sent on from there can stop it.
"""

from typing import Final, NamedTuple

from app.live.clock.watermark import BEGINNING_OF_TIME_MS

#: A broker's answer may be this much older than its arrival says.
_ANSWER_AGE_MS: Final = 250
#: What a partition reports that has nothing to forward.
FAR_MS: Final = 1 << 61


class Reported(NamedTuple):
    """How far a partition is in what it sends to others."""

    #: it has forwarded, acknowledged, all that occurred before this instant
    through_ms: int
    #: of a partition with merged customers, the instant as of which it has read its own part of the
    #: repartition topic, and sent on what it has to
    taken_ms: int = FAR_MS
    #: the same of all its topics, the oldest of their instants
    current_ms: int = FAR_MS


_UNKNOWN: Final = Reported(BEGINNING_OF_TIME_MS, BEGINNING_OF_TIME_MS, BEGINNING_OF_TIME_MS)


class RepartitionProgress:
    """What each partition of a worker has reported. Used from the worker's main loop only."""

    def __init__(self) -> None:
        self._reported: dict[int, Reported] = {}

    def report(self, partition: int, reported: Reported = _UNKNOWN) -> None:
        """How far the partition is; nothing is known of one that was just assigned."""
        self._reported[partition] = reported

    def forget(self, partition: int) -> None:
        """The partition is not worked on by this worker any more."""
        self._reported.pop(partition, None)

    def least(self) -> Reported:
        """How far all partitions are."""
        reported = self._reported.values()
        if not reported:
            return _UNKNOWN
        return Reported(*map(min, zip(*reported, strict=True)))


class RepartitionWatermark:
    """Up to which event time nothing more comes to one partition from the others."""

    def __init__(self, progress: RepartitionProgress) -> None:
        self._progress = progress
        self._through_ms = BEGINNING_OF_TIME_MS
        #: when the others were asked; None: they are asked next
        self._asked_ms: int | None = None
        #: when all that they had sent by then, and what became of it on the way, was in the topic
        self._sent_ms: int | None = None

    def advance(self, now_ms: int, read_through_ms: int | None) -> int:
        """The event time, from how far the repartition topic was read; BEGINNING_OF_TIME_MS when
        nothing new is known.

        What the partitions report now holds for this one when everything that is in the topic then
        has been read. Partitions with merged customers first have to send on what was sent to them:
        a customer may have been merged into one who was merged.
        """
        known_ms = BEGINNING_OF_TIME_MS
        least = self._progress.least()
        if self._asked_ms is not None:
            if self._sent_ms is None and least.taken_ms >= self._asked_ms + _ANSWER_AGE_MS:
                self._sent_ms = now_ms
            sent_ms = self._sent_ms
            if sent_ms is not None and (read_through_ms or 0) >= sent_ms + _ANSWER_AGE_MS:
                known_ms = min(self._through_ms, self._asked_ms)
                self._asked_ms = None
        if self._asked_ms is None:
            self._asked_ms, self._through_ms = now_ms, least.through_ms
            self._sent_ms = now_ms if least.taken_ms == FAR_MS else None
        return known_ms
