"""The registry names every gate, and gates name nothing that it does not have."""

from app.core.decisions import Check, Outcome, Reason
from app.core.gates import evidence
from app.core.gates.registry import GATES, POSSIBLE_REASONS, Gate

CHECKS: list[Check] = [
    evidence.IN_TIME,
    evidence.FAILS,
    evidence.STEP_HOLDS,
    evidence.content("t"),
    evidence.fatigue(5, 1, True),
    evidence.cooldown("cart", 1000, 5),
    evidence.reach("sms", True, "phone"),
    evidence.consent("sms", True, None),
    evidence.suppressed("sms", "bounced"),
    evidence.cap("sms", 1, 2, 1000, "sms"),
    evidence.cap("sms", 1, 2, 1000, None, "news"),
    evidence.cap("sms", 1, 2, 1000, None, None, "cart"),
    evidence.quiet("sms", True, 1, "UTC"),
    evidence.window("sms", True, 1, "UTC"),
    evidence.rate("sms", True, 5, 1000),
    evidence.send_time(True, 5, 5, 9, 1, "UTC"),
    evidence.ghost("e", "v"),
    evidence.holdout(1, 5, "cart"),
]


def test_registry_has_every_gate_with_its_figures() -> None:
    """The figures of all checks that a gate can make are those that the registry lists."""
    assert list(GATES) == list(Gate)
    found: dict[str, set[str]] = {}
    for check in CHECKS:
        found.setdefault(check.gate, set()).update(check.figures)
    assert found == {gate: set(spec.figures) for gate, spec in GATES.items()}


def test_every_reason_is_possible_with_some_outcome() -> None:
    """Metrics start with all series that can ever count."""
    assert {reason for reasons in POSSIBLE_REASONS.values() for reason in reasons} == set(Reason)
    assert set(POSSIBLE_REASONS) == set(Outcome)
