"""Decisions in words: why a message was sent, held back, put off or taken back."""

from collections.abc import Mapping
from typing import Any, Final, assert_never

import msgspec

from app.core.customer.addresses import ADDRESS_TITLES
from app.core.decisions import Reason
from app.core.time.instants import parse_rfc3339

_CAUSES: Final = {
    "unsubscribed": "unsubscribed",
    "bounced": "the address bounced",
    "complained": "complained about a message",
}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One decision as the demo shows it."""

    at_ms: int
    customer: str
    trigger: str
    step: int
    outcome: str
    reason: str
    channel: str
    words: str
    is_marketing: bool


def line_of(decision: Mapping[str, Any], customer: str) -> Line:
    """The line for a record of ``decisions``; ``customer`` is the name to show."""
    return Line(
        at_ms=parse_rfc3339(decision["decided_at"]),
        customer=customer,
        trigger=decision["trigger"],
        step=decision["step"],
        outcome=decision["outcome"],
        reason=decision["reason"],
        channel=decision["channel"] or "",
        words=words_of(decision),
        is_marketing=decision["category"] == "marketing",
    )


def words_of(decision: Mapping[str, Any]) -> str:
    """The outcome and its reason, with the figures that the gate used."""
    match decision["outcome"]:
        case "send":
            return str(decision["template"])
        case "holdout":
            return "control group: nothing goes out"
        case "recall":
            return "taken back: bought before it was sent"
        case "defer":
            wait_s = _seconds_between(decision["decided_at"], decision["next_eligible_at"])
            return f"{_why(decision)}; again in {wait_s:.0f} s"
    return _why(decision)


def _why(decision: Mapping[str, Any]) -> str:
    reason = Reason(decision["reason"])
    check = _failed_check(decision, reason)
    match reason:
        case Reason.EXPIRED:
            late_s = _seconds_between(decision["due_at"], decision["decided_at"])
            return f"too late: it was due {_span(late_s)} ago"
        case Reason.COOLDOWN:
            ago_s = _seconds_between(check["last_sent_at"], decision["decided_at"])
            return f"{ago_s:.0f} s after another {check['family']} message"
        case Reason.REACH:
            return f"no {ADDRESS_TITLES.get(check['field'], check['field'])}"
        case Reason.CONSENT:
            return f"no consent to {check['channel']}"
        case Reason.SUPPRESSED:
            return _CAUSES[check["cause"]]
        case Reason.CAP:
            return f"had {check['count']} messages in {check['per_s']} s"
        case Reason.QUIET:
            return f"{check['local_time']} in {check['timezone']}"
        case Reason.WINDOW:
            return f"{check['local_time']} in {check['timezone']}, outside its window"
        case Reason.RATE:
            return f"one {check['channel']} in {check['space_s']:g} s"
        case Reason.CONDITION:
            return "its condition does not hold any more"
        case Reason.CANCELLED:
            return "not needed any more"
        case Reason.SUPERSEDED:
            return "something newer took its place"
        case Reason.PASSED | Reason.HOLDOUT | Reason.SEND_TIME:
            return str(reason)
    assert_never(reason)


def _failed_check(decision: Mapping[str, Any], gate: str) -> Mapping[str, Any]:
    for check in decision["gates"]:
        if check["gate"] == gate and check["verdict"] == "fail":
            found: Mapping[str, Any] = check
            return found
    return {}


def _seconds_between(earlier: str, later: str) -> float:
    return (parse_rfc3339(later) - parse_rfc3339(earlier)) / 1000


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 7200 else f"{seconds / 86400:.0f} days"
