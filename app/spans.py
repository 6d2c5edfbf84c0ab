"""Spans of time as people say them."""

from app.core.instants import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS


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
