"""A decision to send, for tests of what is made of decisions."""

from typing import Final

from app.core.decisions import Decision, Outcome, Reason
from app.core.recorded import Cause

#: An e-mail of trigger ``t``, decided at the epoch; tests replace what they are about.
SENT: Final = Decision(
    request_id="r",
    customer_id="c",
    trigger="t",
    key="",
    step=0,
    category="marketing",
    priority=50,
    outcome=Outcome.SEND,
    reason=Reason.PASSED,
    channel="email",
    template="a",
    anchor_ms=0,
    due_ms=0,
    decided_ms=0,
    expires_ms=0,
    rules_version="v",
    cause=Cause("orders", 0, 0, "e"),
)
