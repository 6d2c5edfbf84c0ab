"""The lines of a customer's outbox: output records that may not be on Kafka yet.

A line is a letter, ``D`` for decisions and ``R`` for dispatch, and the JSON of the record; with the
small letter the trace context of the anchoring event stands between the two.
"""

from typing import Final

from app import wire
from app.core.decisions import Decision
from app.trace_context import CHARS, HEADER

_DECISION: Final = b"D"
_REQUEST: Final = b"R"

Headers = list[tuple[str, bytes | None]]


def lines_of(decision: Decision) -> list[bytes]:
    """The decision's record, and what it puts on dispatch."""
    record, request = wire.written(decision)
    context = decision.cause.traceparent
    if context is None:
        return [_DECISION + record] if request is None else [_DECISION + record, _REQUEST + request]
    encoded = context.encode()
    lines = [_DECISION.lower() + encoded + record]
    if request is not None:
        lines.append(_REQUEST.lower() + encoded + request)
    return lines


def is_request(line: bytes) -> bool:
    """Whether the line is for dispatch; otherwise it is for decisions."""
    return line[:1].upper() == _REQUEST


def opened(line: bytes) -> tuple[bytes, Headers | None]:
    """The record's value and headers."""
    if line[:1].isupper():
        return line[1:], None
    return line[1 + CHARS :], [(HEADER, line[1 : 1 + CHARS])]
