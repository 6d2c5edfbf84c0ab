"""One customer's past and future in one line: timers, decisions, sends, events, engagement."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from app.core.time.zones import zone
from app.explain.explanation import ExplainedDecision, Explanation, KnownSend
from app.explain.words import (
    NO_TEMPLATE,
    When,
    gate_words,
    headline,
    led_to_words,
    local_times,
    timer_words,
)

Kind = Literal["timer", "decision", "send", "event", "engagement", "profile"]


class GateLine(NamedTuple):
    """One gate in words."""

    passed: bool
    words: str


class Entry(NamedTuple):
    """``words`` of something at ``at_ms``; of a decision its ``gates`` in order, and the request
    that it puts on dispatch as (request id, ``send`` or ``recall``), if any.
    """

    at_ms: int
    kind: Kind
    title: str
    words: str
    gates: tuple[GateLine, ...] = ()
    request: tuple[str, str] | None = None


def when_of(explanation: Explanation) -> When:
    """The customer's local times."""
    return local_times(explanation.now_ms, zone(explanation.timezone))


def timeline(explanation: Explanation) -> list[Entry]:
    """Latest first: what is to come stands above what was. A send that is also a decision is
    listed once.
    """
    when = when_of(explanation)
    listed = {(d.trigger, d.key, d.step, d.decided_ms) for d in explanation.decisions}
    found = [
        *_timers(explanation, when),
        *(_decided(decision, when) for decision in explanation.decisions),
        *(
            _sent(sent)
            for sent in explanation.sends
            if (sent.trigger, sent.key, sent.step, sent.sent_ms) not in listed
        ),
        *(
            Entry(event.occurred_ms, event.kind, event.what.removeprefix("profile: "), "")
            for event in explanation.events
        ),
        *(
            Entry(stop.occurred_ms, "event", f"{stop.trigger}: opened nothing", stop.words)
            for stop in explanation.stopped
        ),
    ]
    return sorted(found, key=lambda entry: -entry.at_ms)


def _timers(explanation: Explanation, when: When) -> Iterator[Entry]:
    for instance in explanation.instances:
        for timer in instance.timers:
            title = _title(instance.trigger, instance.key, timer.step)
            if timer.expires_ms is None:
                words = "the rules no longer have it, nothing will come"
            else:
                words = f"{timer.template or NO_TEMPLATE}: {timer_words(timer)}"
                if not timer.is_awaiting:
                    words += f"; given up after {when(timer.expires_ms)}"
            yield Entry(timer.fires_ms, "timer", title, words)


def _decided(decision: ExplainedDecision, when: When) -> Entry:
    gates = tuple(
        GateLine(
            gate["verdict"] == "pass",
            (f"{gate['channel']}: " if "channel" in gate else "") + gate_words(gate, when),
        )
        for gate in decision.gates
    )
    title = _title(decision.trigger, decision.key, decision.step)
    kind: Kind = "send" if decision.outcome == "send" else "decision"
    request = decision.request_id, decision.outcome
    return Entry(
        decision.decided_ms,
        kind,
        title,
        headline(decision, when),
        gates,
        request if decision.outcome in ("send", "recall") else None,
    )


def _sent(sent: KnownSend) -> Entry:
    words = "not sent: in the control group" if sent.is_ghost else f"sent by {sent.channel}"
    if sent.is_opened and not {"opened", "clicked"} & set(sent.led_to):
        words += ", opened"
    words += led_to_words(sent.led_to, is_ghost=sent.is_ghost)
    kind: Kind = "decision" if sent.is_ghost else "send"
    return Entry(sent.sent_ms, kind, _title(sent.trigger, sent.key, sent.step), words)


def _title(trigger: str, key: str, step: int) -> str:
    return f"{trigger}{f' {key}' if key else ''}, step {step}"
