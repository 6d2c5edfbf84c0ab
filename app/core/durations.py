"""Durations as rule writers say them: ``30s 15m 48h 10d``."""

import re
from typing import Final

_UNITS_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
PATTERN: Final = r"^[0-9]{1,9}[smhd]$"
MAX_MS: Final = 3660 * 86_400_000


def parse_duration_ms(value: object) -> int:
    """Milliseconds in ``value``; 0 may stand without a unit. Raises ValueError."""
    if type(value) is int and value == 0:
        return 0
    if not isinstance(value, str) or re.match(PATTERN, value) is None:
        raise ValueError(f"expected a duration such as 30s, 15m, 48h or 10d, found {value!r}")
    duration_ms = int(value[:-1]) * _UNITS_MS[value[-1]]
    if duration_ms > MAX_MS:
        raise ValueError(f"expected at most 3660d, found {value!r}")
    return duration_ms
