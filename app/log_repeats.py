"""A library that says the same over and over is heard once in a while, with how often it said it.

While a broker is away its client tries ten times a second, and reports each in several lines.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

_EVERY_S: Final = 10.0
#: Different messages that are told apart; then all are heard again.
_MESSAGES: Final = 1_000


class Repeats(logging.Filter):
    """Lets a message of these loggers through at most every ten seconds; then it has a field
    ``repeated``: how often it was left out. What it is about does not tell messages apart.
    """

    def __init__(
        self, loggers: Sequence[str], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._loggers = frozenset(loggers)
        self._monotonic = monotonic
        #: (logger, message without its arguments) -> when it was last heard, how often not since
        self._heard: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in self._loggers:
            return True
        key, now_s = (record.name, str(record.msg)), self._monotonic()
        heard_s, left_out = self._heard.get(key, (now_s - _EVERY_S, 0))
        if now_s - heard_s < _EVERY_S:
            self._heard[key] = heard_s, left_out + 1
            return False
        if len(self._heard) >= _MESSAGES:
            self._heard.clear()
        self._heard[key] = now_s, 0
        if left_out:
            record.repeated = left_out
        return True
