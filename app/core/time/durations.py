"""Durations as rule writers say them: ``30s 15m 48h 10d``."""

import re
from typing import Final

from app.core.time.instants import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

_UNITS_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
#: At most some 30 years in any unit, as the schema of the rules says it too.
_DURATION: Final = re.compile(r"[0-9]{1,9}s|[0-9]{1,7}m|[0-9]{1,5}h|[0-9]{1,4}d")


def span_text(span_ms: int) -> str:
    """``45 s``, ``90 min``, ``24 h`` or ``7 days``: the largest unit that fits twice or exactly."""
    if span_ms >= 2 * DAY_MS:
        return _text(span_ms / DAY_MS, "days")
    if span_ms >= 2 * HOUR_MS:
        return _text(span_ms / HOUR_MS, "h")
    if span_ms >= 2 * MINUTE_MS:
        return _text(span_ms / MINUTE_MS, "min")
    return _text(span_ms / SECOND_MS, "s")


def _text(amount: float, unit: str) -> str:
    return f"{amount:.1f}".removesuffix(".0") + f" {unit}"


def parse_duration_ms(value: object) -> int:
    """Milliseconds in ``value``; 0 may stand without a unit. Raises ValueError."""
    if type(value) in (int, float) and value == 0:
        return 0
    text = value.strip() if isinstance(value, str) else ""
    if _DURATION.fullmatch(text) is None:
        raise ValueError(f"expected a duration such as 30s, 15m, 48h or 10d, found {value!r}")
    return int(text[:-1]) * _UNITS_MS[text[-1]]
