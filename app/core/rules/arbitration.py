"""Arbitration: steps that compete are decided together, the most important first (spec section 6).

Event time is cut into buckets [k * length, (k + 1) * length) from the epoch. A marketing step is
decided at the end of the bucket that its due time falls in (a due time on a boundary belongs to
the bucket that begins there), and a deferred one at the end of the bucket that its next eligible
time falls in: so all that become eligible in one bucket are decided at one time, in the order of
timers, which puts the higher priority first. Only a step that a late event creates after the end
of its bucket comes after what was decided there. Expiry still counts from the due time: a step
that expires before its bucket ends is never sent.
"""

from app.core.rules.model import Rules, Trigger


def firing_ms(rules: Rules, trigger: Trigger, eligible_ms: int) -> int:
    """When the timer of a step fires that is due, or eligible again, at ``eligible_ms``."""
    length_ms = rules.arbitration_ms
    if length_ms and trigger.is_marketing:
        return (eligible_ms // length_ms + 1) * length_ms
    return eligible_ms
