"""Fatigue: customers who get many messages and open few of them get fewer (spec section 6)."""

from typing import Final

from app.core.customer.record import Customer
from app.core.decisions import Check
from app.core.gates.registry import Gate
from app.core.rules.model import Fatigue

_FATIGUE: Final = Gate.FATIGUE.value


def is_fatigued(customer: Customer, fatigue: Fatigue, now_ms: int, checks: list[Check]) -> bool:
    """Whether the marketing sends at t > now - window are enough, and too few of them opened.

    A ghost send counts as a send that was not opened. An open or a click counts for the send that
    it names, whenever it happened. The figures go to ``checks``: they stop nothing themselves.
    """
    after_ms = now_ms - fatigue.window_ms
    sends = opened = 0
    for sent in customer.send_log.since(after_ms):
        if sent.is_marketing:
            sends += 1
            opened += sent.is_opened
    fatigued = sends >= fatigue.min_sends and opened / sends < fatigue.open_rate_below
    checks.append((_FATIGUE, True, None, sends, opened, fatigued))
    return fatigued
