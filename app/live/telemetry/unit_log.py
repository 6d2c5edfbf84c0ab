"""What the log says of a commit unit: where its dead letters are and, at DEBUG, what was decided.

Each line names a record by topic, partition and offset, and its trace; its content stays in the
topic.
"""

import logging
from collections import Counter
from typing import Final

from app.core.decisions import Decision
from app.formats.decode import trace_of
from app.formats.trace_context import trace_id
from app.live.commit.unit import CommitUnit, DeadLetter

_log: Final = logging.getLogger(__name__)


def log_unit(unit: CommitUnit) -> None:
    """Say what is worth saying of a unit that is durable."""
    if unit.dead_letters:
        _log_dead_letters(unit.dead_letters)
    if unit.decisions and _log.isEnabledFor(logging.DEBUG):
        for decision in unit.decisions:
            _log.debug("decided", extra=_decision_fields(decision))


def _log_dead_letters(letters: list[DeadLetter]) -> None:
    """One line for each topic and reason: the first of them, and how many there are."""
    counts = Counter((letter.topic, letter.error.reason) for letter in letters)
    for letter in letters:
        count = counts.pop((letter.topic, letter.error.reason), 0)
        if not count:
            continue
        record = letter.record
        context = trace_of(record.headers)
        fields = {
            "action": "dead_letter",
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "count": count,
            "reason": letter.error.reason,
            "error": str(letter.error),
        }
        if context is not None:
            fields["trace_id"] = trace_id(context)
        _log.warning("records cannot be understood and are dead letters", extra=fields)


def _decision_fields(decision: Decision) -> dict[str, object]:
    cause = decision.cause
    fields: dict[str, object] = {
        "action": "decided",
        "trigger": decision.trigger,
        "step": decision.step,
        "outcome": decision.outcome.value,
        "reason": decision.reason.value,
        "channel": decision.channel,
        "topic": cause.topic,
        "partition": cause.partition,
        "offset": cause.offset,
    }
    if cause.traceparent is not None:
        fields["trace_id"] = trace_id(cause.traceparent)
    return fields
