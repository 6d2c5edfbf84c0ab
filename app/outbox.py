"""The lines of a customer's outbox: output records that may not be on Kafka yet.

A line is a letter, ``D`` for decisions, ``R`` for dispatch and ``O`` for outcomes, and the JSON of
the record; with the small letter the trace context of the event behind it stands between the two.
"""

from collections.abc import Iterator
from typing import Final

from app import wire
from app.core.decisions import Decision
from app.core.outcomes import SendOutcome
from app.trace_context import CHARS, HEADER
from app.unit import Unit

_DECISION: Final = b"D"
_REQUEST: Final = b"R"
_OUTCOME: Final = b"O"
_TOPICS: Final = {_DECISION: "decisions", _REQUEST: "dispatch", _OUTCOME: "outcomes"}

Headers = list[tuple[str, bytes | None]]


def lines(unit: Unit) -> Iterator[tuple[str, bytes]]:
    """(customer id, line) of all that the unit says to the outside."""
    for decision in unit.decisions:
        for line in lines_of(decision):
            yield decision.customer_id, line
    for outcome in unit.led_to:
        yield outcome.customer_id, outcome_line(outcome)


def lines_of(decision: Decision) -> list[bytes]:
    """The decision's record, and what it puts on dispatch."""
    record, request = wire.written(decision)
    context = decision.cause.traceparent
    lines = [_line(_DECISION, context, record)]
    if request is not None:
        lines.append(_line(_REQUEST, context, request))
    return lines


def outcome_line(outcome: SendOutcome) -> bytes:
    """The outcome's record."""
    return _line(_OUTCOME, outcome.cause.traceparent, wire.written_outcome(outcome))


def topic_of(line: bytes) -> str:
    """The logical name of the topic that the line is for."""
    return _TOPICS[line[:1].upper()]


def opened(line: bytes) -> tuple[bytes, Headers | None]:
    """The record's value and headers."""
    if line[:1].isupper():
        return line[1:], None
    return line[1 + CHARS :], [(HEADER, line[1 : 1 + CHARS])]


def _line(letter: bytes, context: str | None, value: bytes) -> bytes:
    if context is None:
        return letter + value
    return letter.lower() + context.encode() + value
