"""Repartition progress: up to which event time all misrouted records have been forwarded.

A purchase that lies on a wrong partition must stop the reminder that its own partition would send.
So W of the repartition topic is not how far that topic was read, but the least event time that any
partition of this worker has reached in a topic with misrouted records to be expected, once all
that was forwarded by then has been read. What lies unread on partitions of other workers is not
known here.
"""

from typing import Final

from app.live.clock.watermark import BEGINNING_OF_TIME_MS

#: A broker's answer may be this much older than its arrival says.
_ANSWER_AGE_MS: Final = 250
#: What a partition reports that has nothing to forward.
FAR_MS: Final = 1 << 61


class RepartitionProgress:
    """What each partition of a worker has reported. Used from the worker's main loop only."""

    def __init__(self) -> None:
        self._through_ms: dict[int, int] = {}

    def report(self, partition: int, through_ms: int) -> None:
        """The partition has forwarded, acknowledged, all that occurred before the instant."""
        self._through_ms[partition] = through_ms

    def forget(self, partition: int) -> None:
        """The partition is not worked on by this worker any more."""
        self._through_ms.pop(partition, None)

    def through_ms(self) -> int:
        """The instant up to which all partitions have."""
        return min(self._through_ms.values(), default=BEGINNING_OF_TIME_MS)


class RepartitionWatermark:
    """Up to which event time nothing more comes to one partition from the others."""

    def __init__(self, progress: RepartitionProgress) -> None:
        self._progress = progress
        self._asked_ms = FAR_MS
        self._through_ms = BEGINNING_OF_TIME_MS
        self._is_waiting = False

    def advance(self, now_ms: int, read_through_ms: int | None) -> int:
        """The event time, from how far the repartition topic was read; BEGINNING_OF_TIME_MS when
        nothing new is known.

        What the partitions report now holds for this one when everything that is in the topic now
        has been read.
        """
        known_ms = BEGINNING_OF_TIME_MS
        if self._is_waiting and (read_through_ms or 0) >= self._asked_ms + _ANSWER_AGE_MS:
            known_ms = min(self._through_ms, self._asked_ms)
            self._is_waiting = False
        if not self._is_waiting:
            self._asked_ms = now_ms
            self._through_ms = self._progress.through_ms()
            self._is_waiting = True
        return known_ms
