"""Says that the broker is silent, and that it is back. Until then no timer fires."""

import logging
from typing import Final

_log: Final = logging.getLogger(__name__)

#: The broker answers several times a second when it is well.
_SILENT_MS: Final = 5_000
_AGAIN_MS: Final = 30_000


class Silence:
    """Told how things stand about once a second."""

    def __init__(self) -> None:
        self._said_ms: int | None = None

    def look(self, now_ms: int, answered_ms: int) -> None:
        """``answered_ms`` is when the broker last answered, both by the same clock."""
        silent_ms = now_ms - answered_ms
        if silent_ms < _SILENT_MS:
            if self._said_ms is not None:
                _log.info("Kafka answers again", extra={"action": "broker_back"})
            self._said_ms = None
        elif self._said_ms is None or now_ms - self._said_ms >= _AGAIN_MS:
            self._said_ms = now_ms
            _log.warning(
                "Kafka does not answer: timers wait, nothing is lost, it goes on by itself",
                extra={"action": "broker_silent", "silent_s": silent_ms // 1000},
            )
