"""Decisions and limits in words for a support agent. Times are the customer's local times."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, assert_never
from zoneinfo import ZoneInfo

from app.core.customer.addresses import ADDRESS_TITLES
from app.core.gates import registry
from app.core.gates.usage import ChannelState
from app.core.time.durations import span_text
from app.core.time.instants import parse_rfc3339
from app.core.time.zones import local
from app.explain.explanation import CapUse, ExplainedDecision, Explanation, Timer

Gate = Mapping[str, Any]
#: An instant (epoch ms) as local time.
When = Callable[[int], str]

_CAUSES: Final = {
    "unsubscribed": "unsubscribed from it",
    "bounced": "the address bounced",
    "complained": "complained about a message",
}
#: In place of the template of a step of which none fits as things stand.
NO_TEMPLATE: Final = "no template fits now"
#: Kinds of outcome, where a support agent says more than the contract's word.
_LED_TO: Final = {
    "complained": "a complaint",
    "surveyed": "a survey answered",
    "conversion": "a purchase",
    "recovery": "what was abandoned bought",
    "review": "a review",
    "support": "a call for support",
    "assisted": "a purchase, for which another message gets the credit",
}


def local_times(now_ms: int, tz: ZoneInfo) -> When:
    """Local times as seen at ``now_ms``: ``today 14:05``, ``tomorrow 14:05``, or with the date."""
    today = local(now_ms, tz).date()
    near = {
        today - timedelta(days=1): "yesterday",
        today: "today",
        today + timedelta(days=1): "tomorrow",
    }

    def when(instant_ms: int) -> str:
        local_time = local(instant_ms, tz)
        day = near.get(local_time.date()) or f"{local_time:%a} {local_time.date().isoformat()}"
        return f"{day} {local_time:%H:%M}"

    return when


def led_to_words(kinds: Sequence[str], *, is_ghost: bool) -> str:
    """What a send led to, as the end of a sentence; empty when nothing is known."""
    if not kinds:
        return ""
    named = ", ".join(_LED_TO.get(kind, kind) for kind in kinds)
    return f"; all the same: {named}" if is_ghost else f"; led to: {named}"


def timer_words(timer: Timer) -> str:
    """What a pending step waits for; its time follows."""
    if timer.is_parked:
        return "waits until its partition is read up to its end, was due"
    if timer.is_awaiting:
        return "waits for what becomes of an earlier step, at most until"
    return "deferred, next try" if timer.is_deferred else "due"


def headline(decision: ExplainedDecision, when: When) -> str:
    """What happened to the step, and why, and what it led to."""
    match decision.outcome:
        case "send":
            return f"sent by {decision.channel}{led_to_words(decision.led_to, is_ghost=False)}"
        case "holdout":
            after = led_to_words(decision.led_to, is_ghost=True)
            return f"not sent: in the control group (would have gone by {decision.channel}){after}"
        case "recall":
            return "taken back: what ends it had happened before it was sent"
        case "defer":
            assert decision.next_eligible_ms is not None
            why = _why(decision, when)
            return f"not sent: {why}; possible again {when(decision.next_eligible_ms)}"
    why = _why(decision, when)
    if decision.reason in registry.LIMITS:
        return f"not sent: {why}; waiting would have been too late"
    return f"not sent: {why}"


def _why(decision: ExplainedDecision, when: When) -> str:
    match decision.reason:
        case "cancelled" | "superseded":
            return registry.title_of(decision.reason)
        case "expired":
            return f"too late: it was due {when(decision.due_ms)}"
    failed = [
        gate_words(gate, when)
        for gate in decision.gates
        if gate["gate"] == decision.reason and gate["verdict"] == "fail"
    ]
    return "; ".join(dict.fromkeys(failed)) or registry.title_of(decision.reason)


def merged_words(explanation: Explanation, when: When) -> str | None:
    """Whom the customer was merged into; None when they were not."""
    if explanation.merged_into is None:
        return None
    assert explanation.merged_ms is not None
    assert explanation.merged_until_ms is not None
    return (
        f"merged into {explanation.merged_into} at {when(explanation.merged_ms)}: what comes until"
        f" {when(explanation.merged_until_ms)} is theirs"
    )


def gate_words(gate: Gate, when: When) -> str:
    """One gate with its figures."""
    try:
        known = registry.Gate(gate["gate"])
    except ValueError:  # of a newer version
        figures = (f"{k} {v}" for k, v in gate.items() if k not in ("gate", "verdict", "channel"))
        return ", ".join([gate["gate"].replace("_", " "), *figures])
    return _known_gate_words(known, gate, gate["verdict"] == "pass", when)


def _known_gate_words(known: registry.Gate, gate: Gate, passed: bool, when: When) -> str:
    match known:
        case registry.Gate.EXPIRED:
            return "in time" if passed else "too late"
        case registry.Gate.CONDITION:
            return _condition(passed, gate.get("of", "trigger"))
        case registry.Gate.FATIGUE:
            fatigued = "fatigued: stricter limits" if gate["fatigued"] else "not fatigued"
            return f"opened {gate['opened']} of {gate['sends']} messages, {fatigued}"
        case registry.Gate.COOLDOWN:
            return _cooldown(gate, when)
        case registry.Gate.REACH:
            address = ADDRESS_TITLES.get(gate["field"], gate["field"])
            return f"{address} on file" if passed else f"no {address} on file"
        case registry.Gate.CONSENT:
            return _consent(gate["channel"], passed, gate["given"])
        case registry.Gate.SUPPRESSED:
            if passed:
                return f"{gate['channel']} is open"
            return f"{gate['channel']}: {_CAUSES.get(gate['cause'], gate['cause'])}"
        case registry.Gate.CAP:
            return cap_words(gate["count"], gate["limit"], gate["per_s"], _cap_scope(gate))
        case registry.Gate.QUIET:
            quiet = "not in quiet hours" if passed else "in quiet hours"
            return f"{gate['local_time']} in {gate['timezone']}, {quiet}"
        case registry.Gate.WINDOW:
            window = "inside" if passed else "outside"
            return f"{gate['local_time']} in {gate['timezone']}, {window} the delivery window"
        case registry.Gate.RATE:
            return _rate(gate, passed, when)
        case registry.Gate.SEND_TIME:
            return _send_time(gate, passed)
        case registry.Gate.HOLDOUT:
            if "experiment" in gate:
                return f"gets nothing in experiment {gate['experiment']} ({gate['variant']})"
            of = f" of {gate['trigger']}" if "trigger" in gate else ""
            return f"{'not ' if passed else ''}in the control group{of}"
    assert_never(known)


def _condition(passed: bool, of: str) -> str:
    if of == "template":
        return "a template fits" if passed else "no template fits"
    whose = "its" if of == "trigger" else f"the {of}'s"
    return f"{whose} condition {'holds' if passed else 'does not hold any more'}"


def _cooldown(gate: Gate, when: When) -> str:
    span = span_text(gate["cooldown_s"] * 1000)
    if "last_sent_at" not in gate:
        return f"no other {gate['family']} message in the last {span}"
    sent_ms = parse_rfc3339(gate["last_sent_at"])
    return f"another {gate['family']} message went out {when(sent_ms)}, at most one in {span}"


def _rate(gate: Gate, passed: bool, when: When) -> str:
    slot = when(parse_rfc3339(gate["next_slot_at"]))
    one_in = f"one message in {gate['space_s']:g} s"
    return f"the send rate has a slot now ({one_in})" if passed else f"{one_in}, next slot {slot}"


def _send_time(gate: Gate, passed: bool) -> str:
    if "best_hour" not in gate:
        return f"{gate['opens']} opens on record, too few to know the best hour"
    verb = "no need to wait for" if passed else "waits for"
    return f"{verb} the best hour, {gate['best_hour']:02d}:00 (now {gate['local_time']})"


def _consent(channel: str, passed: bool, given: bool | None) -> str:
    if given is None:
        return f"did not say anything about {channel}, which means {'yes' if passed else 'no'}"
    return f"{'agreed' if given else 'did not agree'} to {channel}"


def _cap_scope(gate: Gate) -> str | None:
    """Which messages a cap counts: of one channel, family or trigger; None: all."""
    return gate.get("only") or gate.get("family") or gate.get("trigger")


def cap_words(used: int, limit: int, per_s: int, scope: str | None) -> str:
    """``2 of 2 messages in the last 24 h``; ``scope``: the channel, family or trigger counted."""
    what = "messages" if scope is None else f"{scope} messages"
    return f"{used} of {limit} {what} in the last {span_text(per_s * 1000)}"


def cap_use_words(use: CapUse, when: When) -> str:
    """A cap's usage, and when the next message fits."""
    words = cap_words(use.used, use.limit, use.per_s, use.scope)
    return words if use.free_ms is None else f"{words}; possible again {when(use.free_ms)}"


def channel_words(state: ChannelState, when: When) -> str:
    """Whether marketing can use a channel, or everything that is in its way."""
    against = []
    if not state.has_address:
        against.append("no address on file")
    if not state.has_consent:
        against.append(_consent(state.channel, False, state.consent_given))
    if state.suppressed is not None:
        against.append(_CAUSES[state.suppressed])
    if state.quiet_until_ms is not None:
        against.append(f"in quiet hours until {when(state.quiet_until_ms)}")
    return "; ".join(against) or "open"
