"""How far the lanes of a worker have sent on what is not theirs, for the watermarks of all.

A purchase that lies on a wrong partition must stop the reminder that its own partition would send.
So W of the repartition topic is not how far that topic was read, but the least event time that any
lane of this worker has reached in a topic with strays to be expected, once all that was sent on by
then has been read. What lies unread on partitions of other workers is not known here.
"""

from typing import Final

from app.live.clock.watermark import BEGINNING_OF_TIME_MS

#: A broker's answer may be this much older than its arrival says.
_ANSWER_AGE_MS: Final = 250
#: What a lane says that has nothing to send on.
FAR_MS: Final = 1 << 61


class RepartitionProgress:
    """What each lane has said of itself: everything before this instant is where it belongs."""

    def __init__(self) -> None:
        self._through_ms: dict[int, int] = {}

    def say(self, partition: int, through_ms: int) -> None:
        """This lane has sent on, acknowledged, all that occurred before the instant."""
        self._through_ms[partition] = through_ms

    def forget(self, partition: int) -> None:
        """Another worker has the partition, or nobody."""
        self._through_ms.pop(partition, None)

    def through_ms(self) -> int:
        """The instant for all lanes."""
        return min(self._through_ms.values(), default=BEGINNING_OF_TIME_MS)


class RepartitionWatermark:
    """What one lane may conclude: up to which instant nothing more comes to it from the others."""

    def __init__(self, upstream: RepartitionProgress) -> None:
        self._upstream = upstream
        self._asked_ms = FAR_MS
        self._through_ms = BEGINNING_OF_TIME_MS
        self._is_waiting = False

    def conclude(self, now_ms: int, read_through_ms: int | None) -> int:
        """The instant, from how far the repartition topic was read; UNKNOWN_MS: nothing new.

        What the lanes say now holds for this one when everything that is in the topic now is read.
        """
        concluded_ms = BEGINNING_OF_TIME_MS
        if self._is_waiting and (read_through_ms or 0) >= self._asked_ms + _ANSWER_AGE_MS:
            concluded_ms = min(self._through_ms, self._asked_ms)
            self._is_waiting = False
        if not self._is_waiting:
            self._asked_ms = now_ms
            self._through_ms = self._upstream.through_ms()
            self._is_waiting = True
        return concluded_ms
