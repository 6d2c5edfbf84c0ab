"""Parked steps: marketing steps that came up while their partition was not current.

They keep their due time and leave no record until the partition is current: nothing is decided
while what the customer did meanwhile is still unread.
"""

from app.core.customer.instance import PendingStep
from app.core.customer.record import Customer


def park(customer: Customer, pending: PendingStep) -> None:
    """Let the step wait, without a timer."""
    pending.parked = True
    customer.timer_gone(pending.fire_ms)


def unpark(customer: Customer, pending: PendingStep) -> None:
    """Give the step its timer back."""
    pending.parked = False
    customer.timer_added(pending.fire_ms)
