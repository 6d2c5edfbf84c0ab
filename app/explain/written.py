"""An explanation as text for a support agent and as JSON for programs."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from app.core.time.instants import format_rfc3339
from app.core.time.zones import zone
from app.explain.explanation import ExplainedDecision, Explanation, OpenInstance
from app.explain.words import (
    NO_TEMPLATE,
    When,
    cap_use_words,
    channel_words,
    gate_words,
    headline,
    local_times,
    merged_words,
    timer_words,
)

#: The JSON has all that are known.
_SHOWN_EVENTS: Final = 10


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """The same as JSON values: instants RFC 3339 (``*_at``), decisions and gates with words."""
    when = _when(explanation)
    whole: dict[str, Any] = _with_times(msgspec.to_builtins(explanation))
    for written, decision in zip(whole["decisions"], explanation.decisions, strict=True):
        written["words"] = headline(decision, when)
        written["gates"] = [gate | {"words": gate_words(gate, when)} for gate in decision.gates]
    return whole


def _with_times(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_times(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        f"{name[:-3]}_at" if _is_instant(name, item) else name: format_rfc3339(item)
        if _is_instant(name, item) and item is not None
        else _with_times(item)
        for name, item in value.items()
    }


def _is_instant(name: str, value: Any) -> bool:
    return name.endswith("_ms") and (value is None or type(value) is int)


def explanation_text(explanation: Explanation) -> str:
    """Several short sections; times are local to the customer."""
    return "\n".join(_lines(explanation)) + "\n"


def _when(explanation: Explanation) -> When:
    return local_times(explanation.now_ms, zone(explanation.timezone))


def _lines(explanation: Explanation) -> Iterator[str]:
    when = _when(explanation)
    at = format_rfc3339(explanation.now_ms)
    yield f"{explanation.customer_id} at {at}"
    yield f"local time {when(explanation.now_ms)}, {explanation.timezone}"
    merged = merged_words(explanation, when)
    if merged is not None:
        yield merged
    if explanation.waits_for:
        topics = ", ".join(explanation.waits_for)
        yield f"marketing steps wait: the partition is not read up to its end yet in {topics}"
    yield ""
    yield "Profile"
    for field, value in explanation.profile.items():
        yield f"  {field}: {'on file' if value is True else _plain(value)}"
    yield "  " + ", ".join(f"{name} {_plain(fact)}" for name, fact in explanation.facts.items())
    if explanation.is_held_out:
        yield "  in the control group: marketing is decided for, and not sent"
    if explanation.is_fatigued:
        yield "  opens few messages: cooldown and caps are stricter"
    yield ""
    yield "Channels for marketing"
    for state in explanation.channels:
        yield f"  {state.channel}: {channel_words(state, when)}"
    yield ""
    yield "Limits"
    for use in explanation.caps:
        yield f"  {cap_use_words(use, when)}"
    for cooldown in explanation.cooldowns:
        yield (
            f"  {cooldown.family}: last message {when(cooldown.last_ms)},"
            f" no other one until {when(cooldown.until_ms)}"
        )
    if not explanation.caps and not explanation.cooldowns:
        yield "  none in use"
    yield ""
    yield "Waiting"
    for instance in explanation.instances:
        yield from _instance_lines(instance, when, explanation.now_ms)
    if not explanation.instances:
        yield "  nothing"
    if explanation.stopped:
        yield ""
        yield "Opened nothing, newest first"
        for stop in explanation.stopped:
            key = f" {stop.key}" if stop.key else ""
            yield f"  {when(stop.occurred_ms)}  {stop.trigger}{key}: {stop.words}"
    yield ""
    yield "Known to have happened, newest first"
    for event in explanation.events[:_SHOWN_EVENTS]:
        yield f"  {when(event.occurred_ms)}  {event.what}"
    if not explanation.events:
        yield "  nothing"
    yield ""
    yield f"Last {len(explanation.decisions)} decisions, newest first"
    if explanation.decisions_since_ms is not None:
        yield f"  (those before {when(explanation.decisions_since_ms)} were not looked at)"
    for decision in explanation.decisions:
        yield from _decision_lines(decision, when)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


def _instance_lines(instance: OpenInstance, when: When, now_ms: int) -> Iterator[str]:
    key = f" {instance.key}" if instance.key else ""
    since = f", since {when(instance.anchor_ms)}" if instance.anchor_ms <= now_ms else ""
    yield f"  {instance.trigger}{key}{since}"
    for timer in instance.timers:
        if timer.expires_ms is None:
            yield f"    step {timer.step}: the rules no longer have it, nothing will come"
            continue
        what = timer_words(timer)
        template = timer.template or NO_TEMPLATE
        given_up = "" if timer.is_awaiting else f" (given up after {when(timer.expires_ms)})"
        yield f"    step {timer.step}, {template}: {what} {when(timer.fires_ms)}{given_up}"


def _decision_lines(decision: ExplainedDecision, when: When) -> Iterator[str]:
    key = f" {decision.key}" if decision.key else ""
    yield f"  {when(decision.decided_ms)}  {decision.trigger}{key}, step {decision.step}"
    yield f"    {headline(decision, when)}"
    for gate in decision.gates:
        mark = "ok" if gate["verdict"] == "pass" else "NO"
        channel = f"{gate['channel']}: " if "channel" in gate else ""
        yield f"      {mark}  {gate['gate']:<10} {channel}{gate_words(gate, when)}"
