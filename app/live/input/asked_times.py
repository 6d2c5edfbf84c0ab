"""When a broker was asked for what it answered: as of then an end that it tells is known.

An answer is no snapshot: the broker looks at one partition after the other, and may hold the answer
back meanwhile, and answers of several brokers come in any order. So what was on a broker when a
record came is known from answers to what was asked after the record came.
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Final

from app.kafka.types import TopicPartition

#: For how long after records the next answers of all brokers are waited for in short steps.
_AWAITED_S: Final = 1.0
#: A broker that was not asked for so long leads nothing that is read.
_IN_USE_S: Final = 5.0


class AskedTimes:
    """Notes each answer to a fetch. Used in the consumer's thread.

    ``monotonic`` gives seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        #: by partition: aiokafka's timestamp of the last answer, and how long that took
        self._waits: dict[TopicPartition, tuple[int, int]] = {}
        #: by broker: when it was asked for its last answer
        self._asked_s: dict[int, float] = {}
        self._records_s = float("-inf")

    def now_s(self) -> float:
        """What ``answered`` takes of the moment at which a broker is asked."""
        return self._monotonic()

    def answered(
        self,
        node_id: int,
        asked_s: float,
        stamps_ms: Mapping[TopicPartition, int],
        *,
        has_records: bool,
    ) -> None:
        """A broker has just answered for these partitions, which have the timestamps that aiokafka
        gives an answer.
        """
        now_s = self._monotonic()
        self._asked_s[node_id] = asked_s
        if has_records:
            self._records_s = now_s
        waited_ms = math.ceil((now_s - asked_s) * 1000)
        for tp, stamp_ms in stamps_ms.items():
            known = self._waits.get(tp)
            if known is None or known[0] != stamp_ms:  # or else the partition was left out
                self._waits[tp] = stamp_ms, waited_ms

    def waited_ms(self, tp: TopicPartition, stamp_ms: int) -> int | None:
        """How long before the answer of this timestamp the broker was asked; None: not known."""
        known = self._waits.get(tp)
        return known[1] if known is not None and known[0] == stamp_ms else None

    def are_ends_awaited(self) -> bool:
        """Whether records came after some broker was asked for its last answer: its next one tells
        what these records may have to wait for.
        """
        records_s = self._records_s
        if self._monotonic() - records_s > _AWAITED_S:
            return False
        return any(records_s - _IN_USE_S < each < records_s for each in self._asked_s.values())
