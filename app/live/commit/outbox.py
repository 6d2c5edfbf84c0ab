"""Output records of a commit unit and their encoding in a customer's outbox.

An entry of an outbox is a letter, ``D`` for decisions, ``R`` for dispatch and ``O`` for outcomes,
and then the JSON of the record; after a small letter the trace context of the event that caused
the record (``CHARS`` bytes) stands between the two. ``M`` is for what a merged customer's record
sends on: the fields of a ``MisroutedRecord`` as a msgpack array.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from app.core.decisions import Decision
from app.core.outcomes import SendOutcome
from app.core.recorded import Cause
from app.formats import encode
from app.formats.trace_context import CHARS
from app.live.commit.unit import CommitUnit, SentOn
from app.live.repartition.envelope import MisroutedRecord
from tables.customers import PartitionCustomers

_LETTERS: Final = {"decisions": b"D", "dispatch": b"R", "outcomes": b"O"}
_SENT_ON: Final = b"M"
_sent_on_decoder: Final = msgspec.msgpack.Decoder(
    tuple[str, bytes, bytes | None, list[tuple[str, bytes | None]]]
)
_TOPICS: Final = {letter: topic for topic, letter in _LETTERS.items()}


@dataclass(slots=True, init=False)
class OutputRecord:
    """A decision, send request or outcome of one customer, encoded."""

    #: logical name
    topic: str
    customer_id: str
    value: bytes
    #: trace context of the event that caused it, CHARS long
    context: bytes | None

    def __init__(self, topic: str, customer_id: str, value: bytes, context: bytes | None) -> None:
        self.topic = topic
        self.customer_id = customer_id
        self.value = value
        self.context = context


def left_in_outboxes(
    unit: CommitUnit, customers: PartitionCustomers
) -> Iterator[OutputRecord | SentOn]:
    """Yield what the outboxes of the customers hold that the unit sends again."""
    for customer_id in unit.resend:
        for entry in customers.get(customer_id).outbox:
            yield decode_entry(customer_id, entry)


def records_of(unit: CommitUnit) -> list[OutputRecord]:
    """Return every output record of the unit, decisions first."""
    records: list[OutputRecord] = []
    for decision in unit.decisions:
        records += records_of_decision(decision)
    for outcome in unit.outcomes:
        records.append(record_of_outcome(outcome))
    return records


def records_of_decision(decision: Decision) -> list[OutputRecord]:
    """Return the decision's record, then its send request or recall if it has one."""
    record, request = encode.written(decision)
    customer_id, context = decision.customer_id, _context(decision.cause)
    decided = OutputRecord("decisions", customer_id, record, context)
    if request is None:
        return [decided]
    return [decided, OutputRecord("dispatch", customer_id, request, context)]


def record_of_outcome(outcome: SendOutcome) -> OutputRecord:
    """Return the outcome's record."""
    # a copy: what orjson returns takes 8 KB whatever its length, and a unit keeps thousands
    value = bytes(memoryview(encode.written_outcome(outcome)))
    return OutputRecord("outcomes", outcome.customer_id, value, _context(outcome.cause))


def _context(cause: Cause) -> bytes | None:
    context = cause.traceparent
    return None if context is None else context.encode()


def encode_entry(record: OutputRecord | SentOn) -> bytes:
    """Encode the record as an entry of its customer's outbox."""
    if isinstance(record, SentOn):
        return _SENT_ON + msgspec.msgpack.encode(tuple(record.record))
    letter = _LETTERS[record.topic]
    if record.context is None:
        return letter + record.value
    return letter.lower() + record.context + record.value


def decode_entry(customer_id: str, entry: bytes) -> OutputRecord | SentOn:
    """Decode an entry of the customer's outbox."""
    letter, body = entry[:1], entry[1:]
    if letter == _SENT_ON:
        return SentOn(customer_id, MisroutedRecord(*_sent_on_decoder.decode(body)))
    topic = _TOPICS[letter.upper()]
    if letter.isupper():
        return OutputRecord(topic, customer_id, body, None)
    return OutputRecord(topic, customer_id, body[CHARS:], body[:CHARS])
