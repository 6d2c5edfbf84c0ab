"""The checks that gates record: one function for each gate, and each check made once."""

from functools import lru_cache
from typing import Any, Final

from app.core.decisions import Check, make_check
from app.core.identity import BUCKETS
from app.core.time.instants import SECOND_MS, format_rfc3339

#: Whether the step is decided in time.
IN_TIME: Final = make_check("expired", True)
TOO_LATE: Final = make_check("expired", False)
#: Whether the trigger's condition holds, and the step's own.
HOLDS: Final = make_check("condition", True)
FAILS: Final = make_check("condition", False)
STEP_HOLDS: Final = make_check("condition", True, of="step")
STEP_FAILS: Final = make_check("condition", False, of="step")


@lru_cache(maxsize=1024)
def content(template: str | None) -> Check:
    """Which of several templates holds, None when none does."""
    if template is None:
        return make_check("condition", False, of="template")
    return make_check("condition", True, of="template", template=template)


@lru_cache(maxsize=1024)
def cooldown(family: str, cooldown_ms: int, last_ms: int | None) -> Check:
    """``last_ms``: the send of the family that the cooldown counts from."""
    figures = {} if last_ms is None else {"last_sent_at": format_rfc3339(last_ms)}
    cooldown_s = cooldown_ms // SECOND_MS
    return make_check("cooldown", last_ms is None, family=family, cooldown_s=cooldown_s, **figures)


@lru_cache(maxsize=4096)
def fatigue(sends: int, opened: int, fatigued: bool) -> Check:
    """Stops nothing itself: it says which cooldown and limits the checks after it use."""
    return make_check("fatigue", True, sends=sends, opened=opened, fatigued=fatigued)


@lru_cache(maxsize=1024)
def reach(channel: str, passed: bool, field: str) -> Check:
    """``field``: the profile field that the channel needs."""
    return make_check("reach", passed, channel, field=field)


@lru_cache(maxsize=1024)
def consent(channel: str, passed: bool, given: bool | None) -> Check:
    """``given``: what the profile says, None when the channel's default decided."""
    return make_check("consent", passed, channel, given=given)


@lru_cache(maxsize=1024)
def suppressed(channel: str, cause: str | None) -> Check:
    """``cause``: complained, bounced or unsubscribed; None: the channel is free."""
    if cause is None:
        return make_check("suppressed", True, channel)
    return make_check("suppressed", False, channel, cause=cause)


@lru_cache(maxsize=4096)
def cap(
    channel: str,
    count: int,
    limit: int,
    per_ms: int,
    only: str | None,
    family: str | None = None,
    trigger: str | None = None,
) -> Check:
    """``count`` sends in the window of ``per_ms``; ``only``: the one channel, ``family`` and
    ``trigger`` the sends that the cap is for.
    """
    scope = {"only": only, "family": family, "trigger": trigger}
    figures = {name: value for name, value in scope.items() if value is not None}
    per_s = per_ms // SECOND_MS
    return make_check(
        "cap", count < limit, channel, count=count, limit=limit, per_s=per_s, **figures
    )


@lru_cache(maxsize=8192)
def quiet(channel: str, passed: bool, minute: int, timezone: str) -> Check:
    """``minute``: of the customer's local day."""
    local_time = f"{minute // 60:02d}:{minute % 60:02d}"
    return make_check("quiet", passed, channel, local_time=local_time, timezone=timezone)


@lru_cache(maxsize=8192)
def window(channel: str, passed: bool, minute: int, timezone: str) -> Check:
    """``minute``: of the customer's local day."""
    local_time = f"{minute // 60:02d}:{minute % 60:02d}"
    return make_check("window", passed, channel, local_time=local_time, timezone=timezone)


def rate(channel: str, passed: bool, slot_ms: int, space_ms: int) -> Check:
    """``slot_ms``: the next free slot, or the one that the step kept."""
    return make_check(
        "rate",
        passed,
        channel,
        next_slot_at=format_rfc3339(slot_ms),
        space_s=space_ms / SECOND_MS,
    )


@lru_cache(maxsize=8192)
def send_time(
    passed: bool, opens: int, min_opens: int, hour: int | None, minute: int, timezone: str
) -> Check:
    """``hour``: the customer's best local one, None without enough opens; ``minute``: now's."""
    local_time = f"{minute // 60:02d}:{minute % 60:02d}"
    figures: dict[str, Any] = {} if hour is None else {"best_hour": hour}
    return make_check(
        "send_time",
        passed,
        opens=opens,
        min_opens=min_opens,
        **figures,
        local_time=local_time,
        timezone=timezone,
    )


@lru_cache(maxsize=1024)
def ghost(experiment: str, variant: str) -> Check:
    """Held out because the variant gets nothing."""
    return make_check("holdout", False, experiment=experiment, variant=variant)


@lru_cache(maxsize=BUCKETS)
def holdout(bucket: int, limit: float, trigger: str | None = None) -> Check:
    """Held out when the bucket is under the limit. ``trigger``: whose own holdout it is."""
    figures = {} if trigger is None else {"trigger": trigger}
    return make_check("holdout", bucket >= limit, bucket=bucket, limit=limit, **figures)
