"""Logs when the broker stops answering and when it answers again."""

import logging
from typing import Final

_log: Final = logging.getLogger(__name__)

#: The broker answers several times a second when it is well.
_OUTAGE_MS: Final = 5_000
_AGAIN_MS: Final = 30_000


class BrokerOutageLog:
    """Logs an outage of the broker once it is seen, every 30 s, and when it ends.

    Called about once a second by the assigned partitions, with the time of the last answer.
    """

    def __init__(self) -> None:
        self._logged_ms: int | None = None

    def look(self, now_ms: int, answered_ms: int) -> None:
        """``answered_ms`` is when the broker last answered, both by the same clock."""
        outage_ms = now_ms - answered_ms
        if outage_ms < _OUTAGE_MS:
            if self._logged_ms is not None:
                _log.info("Kafka answers again", extra={"action": "broker_back"})
            self._logged_ms = None
        elif self._logged_ms is None or now_ms - self._logged_ms >= _AGAIN_MS:
            self._logged_ms = now_ms
            _log.warning(
                "Kafka does not answer: timers wait, nothing is lost, it goes on by itself",
                extra={"action": "broker_silent", "silent_s": outage_ms // 1000},
            )
