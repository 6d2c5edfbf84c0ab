"""The event time up to which a partition's input is complete (spec section 4)."""

from collections.abc import Iterable
from typing import Final

#: Nothing is known yet: earlier than every instant, with room to subtract a grace.
BEGINNING_OF_TIME_MS: Final = -(1 << 61)


class Watermark:
    """``min over the input topics of W(topic) - grace``, never going backwards.

    W rises with what occurred in a topic, and to the instant as of which the topic is known to have
    been read up to its end: that of a broker's answer, so that a dead broker stalls the watermark.
    """

    def __init__(self, topics: Iterable[str], grace_ms: int) -> None:
        self._seen_ms = dict.fromkeys(topics, BEGINNING_OF_TIME_MS)
        self._lowest_ms = BEGINNING_OF_TIME_MS
        self._grace_ms = grace_ms
        self.value_ms = BEGINNING_OF_TIME_MS

    def seen_ms(self, topic: str) -> int:
        """W of the topic."""
        return self._seen_ms[topic]

    def advance(self, topic: str, instant_ms: int) -> None:
        """W of the topic is at least this."""
        seen_ms = self._seen_ms
        before_ms = seen_ms[topic]
        if instant_ms > before_ms:
            seen_ms[topic] = instant_ms
            if before_ms == self._lowest_ms:
                self._lowest_ms = min(seen_ms.values())
                value_ms = self._lowest_ms - self._grace_ms
                if value_ms > self.value_ms:
                    self.value_ms = value_ms
