"""Limits: what one customer's record may hold, and what one input record may be."""

from typing import Final

from app.core import events
from app.core.customer.limits import LIMITS
from deploy.checks.support.reference.markdown import table

_HEAD: Final = """\
# Limits

## Of one customer's record

"""
_INPUT: Final = (
    (f"{events.MAX_VALUE_BYTES:,}", "Bytes of a record's value; a larger one is a dead letter."),
    (events.MAX_DATA_LEVELS, "Levels of `data`; a deeper one is a dead letter."),
    (events.MAX_EVENT_ID_CHARS, "Characters of `event_id`."),
    (events.MAX_CUSTOMER_ID_CHARS, "Characters of `customer_id`."),
)


def limits() -> str:
    """The page."""
    found = table(("limit", ""), ((f"{each.value:,}", each.sentence) for each in LIMITS))
    return _HEAD + found + "\n## Of one input record\n\n" + table(("limit", ""), _INPUT)
