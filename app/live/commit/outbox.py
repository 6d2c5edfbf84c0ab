"""What a unit says to the outside, and how an outbox keeps it until it is on Kafka.

A line of an outbox is a letter, ``D`` for decisions, ``R`` for dispatch and ``O`` for outcomes, and
the JSON of the record; with the small letter the trace context of the event behind it stands
between the two.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from app.core.decisions import Decision
from app.core.outcomes import SendOutcome
from app.formats import encode
from app.formats.trace_context import CHARS
from app.live.commit.unit import CommitUnit

_LETTERS: Final = {"decisions": b"D", "dispatch": b"R", "outcomes": b"O"}
_TOPICS: Final = {letter: topic for topic, letter in _LETTERS.items()}


class OutputRecord(NamedTuple):
    """One record about a customer."""

    #: logical name
    topic: str
    customer_id: str
    value: bytes
    #: trace context of the event behind it, CHARS long
    context: bytes | None


def said(unit: CommitUnit) -> Iterator[OutputRecord]:
    """All that the unit says, decisions first."""
    for decision in unit.decisions:
        yield from of_decision(decision)
    for outcome in unit.led_to:
        yield of_outcome(outcome)


def of_decision(decision: Decision) -> Iterator[OutputRecord]:
    """The decision's record, and what it puts on dispatch."""
    record, request = encode.written(decision)
    yield _said("decisions", decision, record)
    if request is not None:
        yield _said("dispatch", decision, request)


def of_outcome(outcome: SendOutcome) -> OutputRecord:
    """The outcome's record."""
    return _said("outcomes", outcome, encode.written_outcome(outcome))


def _said(topic: str, of: Decision | SendOutcome, value: bytes) -> OutputRecord:
    """With a copy of the value: what orjson returns takes 8 KB whatever its length, and a unit
    keeps thousands.
    """
    context = of.cause.traceparent
    sent = None if context is None else context.encode()
    return OutputRecord(topic, of.customer_id, bytes(memoryview(value)), sent)


def line_of(record: OutputRecord) -> bytes:
    """The record as the customer's outbox keeps it."""
    letter = _LETTERS[record.topic]
    if record.context is None:
        return letter + record.value
    return letter.lower() + record.context + record.value


def of_line(customer_id: str, line: bytes) -> OutputRecord:
    """What a line of the customer's outbox says."""
    letter, body = line[:1], line[1:]
    topic = _TOPICS[letter.upper()]
    if letter.isupper():
        return OutputRecord(topic, customer_id, body, None)
    return OutputRecord(topic, customer_id, body[CHARS:], body[:CHARS])
