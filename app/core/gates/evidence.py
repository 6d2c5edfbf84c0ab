"""The checks that gates record, one function a gate, each made once and shared."""

from functools import lru_cache
from typing import Any, Final

from app.core.decisions import Check, make_check
from app.core.identity import BUCKETS
from app.core.time.instants import SECOND_MS, format_rfc3339

#: Indexed by whether the gate was passed.
EXPIRED: Final = (make_check("expired", False), make_check("expired", True))
CONDITION: Final = (make_check("condition", False), make_check("condition", True))
STEP_CONDITION: Final = tuple(make_check("condition", ok, of="step") for ok in (False, True))


@lru_cache(maxsize=1024)
def content(template: str | None) -> Check:
    """Which of several templates holds, None when none does."""
    if template is None:
        return make_check("condition", False, of="template")
    return make_check("condition", True, of="template", template=template)


@lru_cache(maxsize=1024)
def cooldown(family: str, cooldown_ms: int, last_ms: int | None) -> Check:
    """``last_ms``: the send of the family that is still warm."""
    figures = {} if last_ms is None else {"last_sent_at": format_rfc3339(last_ms)}
    cooldown_s = cooldown_ms // SECOND_MS
    return make_check("cooldown", last_ms is None, family=family, cooldown_s=cooldown_s, **figures)


@lru_cache(maxsize=4096)
def fatigue(sends: int, opened: int, is_tired: bool) -> Check:
    """Stops nothing itself: it says which cooldown and limits the checks after it use."""
    return make_check("fatigue", True, sends=sends, opened=opened, fatigued=is_tired)


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
def cap(channel: str, count: int, limit: int, per_ms: int, only: str | None) -> Check:
    """``count`` sends in the window of ``per_ms``; ``only``: the one channel the cap is for."""
    figures = {} if only is None else {"only": only}
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
    """Held out because the variant is one that nobody gets."""
    return make_check("holdout", False, experiment=experiment, variant=variant)


@lru_cache(maxsize=BUCKETS)
def holdout(bucket: int, limit: float) -> Check:
    """Held out when the bucket is under the limit."""
    return make_check("holdout", bucket >= limit, bucket=bucket, limit=limit)
