"""The lines of a customer's outbox: output records that may not be on Kafka yet.

A line is a letter that says for which topic it is, and the JSON of the record; with the small
letter the trace context of the event behind it stands between the two.
"""

from collections.abc import Iterator
from typing import Final

from app import wire
from app.core.decisions import Cause
from app.trace_context import CHARS, HEADER
from app.unit import Unit

DECISION: Final = b"D"
REQUEST: Final = b"R"
OUTCOME: Final = b"O"

Headers = list[tuple[str, bytes | None]]


def lines_of(unit: Unit) -> Iterator[tuple[str, bytes]]:
    """(customer id, line) of all that the unit says to the outside, in order."""
    for decision in unit.decisions:
        record, request = wire.written(decision)
        yield decision.customer_id, _line(DECISION, decision.cause, record)
        if request is not None:
            yield decision.customer_id, _line(REQUEST, decision.cause, request)
    for outcome in unit.led_to:
        record = wire.written_outcome(outcome)
        yield outcome.customer_id, _line(OUTCOME, outcome.cause, record)


def _line(kind: bytes, cause: Cause, record: bytes) -> bytes:
    context = cause.traceparent
    return kind + record if context is None else kind.lower() + context.encode() + record


def kind_of(line: bytes) -> bytes:
    """DECISION, REQUEST or OUTCOME."""
    return line[:1].upper()


def opened(line: bytes) -> tuple[bytes, Headers | None]:
    """The record's value and headers."""
    if line[:1].isupper():
        return line[1:], None
    return line[1 + CHARS :], [(HEADER, line[1 : 1 + CHARS])]
