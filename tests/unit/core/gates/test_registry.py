"""The registry names every gate and every reason."""

from app.core.decisions import Outcome, Reason
from app.core.gates.registry import GATES, POSSIBLE_REASONS, Gate


def test_registry_has_every_gate_in_the_order_of_checks() -> None:
    """Readers go through it in the order in which a decision has its checks."""
    assert list(GATES) == list(Gate)


def test_every_reason_is_possible_with_some_outcome() -> None:
    """Metrics start with all series that can ever count."""
    assert {reason for reasons in POSSIBLE_REASONS.values() for reason in reasons} == set(Reason)
    assert set(POSSIBLE_REASONS) == set(Outcome)
