"""Firing the timers of one partition as its clock says."""

from app.core.engine import Engine
from app.live.clock.partition_clock import PartitionClock


def fire_timers(engine: Engine, clock: PartitionClock, due_ms: int) -> int:
    """Fire timers up to ``due_ms``, which is not after the watermark; returns how many."""
    delay_ms, instant = clock.timer_delay_ms, clock.instant
    if delay_ms is None:
        return engine.fire_due(due_ms, instant.now_ms, is_current=instant.is_current)
    return engine.run_to(due_ms + delay_ms, delay_ms)
