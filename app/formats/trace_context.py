"""W3C Trace Context on records: which trace an event belongs to (header ``traceparent``).

The context of the event that anchors an instance goes with everything that is decided because of
it, unchanged: the engine only carries it. What is not a valid context is not there; it never makes
a dead letter. ``tracestate`` is not carried.
"""

import re
from typing import Final

HEADER: Final = "traceparent"
#: Every version begins with the 55 characters of version 00; more than those are cut off, as the
#: specification asks of readers that know only version 00.
CHARS: Final = 55

_CONTEXT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.ASCII
)


def traceparent(text: object) -> str | None:
    """The context that a header says, as version 00 and CHARS long; None when it is not one."""
    if not isinstance(text, str) or _CONTEXT.fullmatch(text) is None:
        return None
    if text[:2] == "00":
        return text if len(text) == CHARS else None
    return f"00{text[2:CHARS]}"


def trace_id(context: str) -> str:
    """The trace that a context belongs to, as logs name it."""
    return context[3:35]
