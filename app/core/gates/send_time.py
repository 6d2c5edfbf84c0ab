"""Send time: a message waits for the hour of the day in which the customer reads (spec section 6).

It is asked after a channel has passed every gate, and before the holdout, so that both groups wait
alike: a step that could not go now anyhow waits for what stops it. The best hour is the local hour
(0..23, in the customer's zone of today) with the most opens and clicks on record, the earliest of
the day among equals. Inside it the step goes at once; otherwise it is deferred to the hour's next
beginning if that is <= due + horizon and <= due + expires, and is then decided again from gate 1.
Because the horizon counts from the due time, quiet hours or caps in the best hour cannot make it
wait for ever: later it goes as soon as it can.
"""

from typing import Final
from zoneinfo import ZoneInfo

from app.core.customer.record import Customer
from app.core.decisions import Check
from app.core.gates.registry import Gate
from app.core.rules.model import SendTime
from app.core.time.instants import MINUTE_MS
from app.core.time.zones import local, next_local_time

_MINUTES_OF_HOUR: Final = 60
_SEND_TIME: Final = Gate.SEND_TIME.value


def best_time_ms(
    send_time: SendTime,
    customer: Customer,
    tz: ZoneInfo,
    due_ms: int,
    now_ms: int,
    last_ms: int,
    checks: list[Check],
) -> int | None:
    """When the step should rather go; None: now. ``last_ms`` is when it expires."""
    opens = len(customer.opened_minutes)
    hour = best_hour(customer.opened_minutes, tz) if opens >= send_time.min_opens else None
    local_time = local(now_ms, tz)
    wait_ms: int | None = None
    if hour is not None and local_time.hour != hour:
        begins_ms = next_local_time(now_ms, hour * _MINUTES_OF_HOUR, tz)
        if begins_ms <= min(due_ms + send_time.horizon_ms, last_ms):
            wait_ms = begins_ms
    minute = local_time.hour * _MINUTES_OF_HOUR + local_time.minute
    is_now = wait_ms is None
    checks.append((_SEND_TIME, is_now, None, opens, send_time.min_opens, hour, minute, tz.key))
    return wait_ms


def best_hour(opened_minutes: list[int], tz: ZoneInfo) -> int:
    """The local hour with the most opens, the earliest of the day among equals."""
    counts = [0] * 24
    for minute in opened_minutes:
        counts[local(minute * MINUTE_MS, tz).hour] += 1
    return counts.index(max(counts))
