"""Decisions: outcomes, reasons and gates, from the registry of gates."""

from typing import Final

from app.core.gates.registry import GATES, POSSIBLE_REASONS
from app.formats.decode import REASONS
from deploy.checks.support.reference.markdown import code, table

_HEAD: Final = """\
# Decisions: outcomes, reasons, gates

Each decision has one outcome, one reason, and `gates`: each check in order with its verdict and the
figures that it used. The reason of a gate has the gate's name.

"""


def decisions() -> str:
    """The page."""
    outcomes = table(
        ("outcome", "reasons"),
        (
            (code(outcome.value), ", ".join(code(each.value) for each in reasons))
            for outcome, reasons in POSSIBLE_REASONS.items()
        ),
    )
    gates = table(
        ("gate", "passes when", "of a step that it stops", "figures", "stops with"),
        (
            (
                code(gate.value),
                spec.sentence,
                spec.title,
                ", ".join(code(figure.name) for figure in spec.figures),
                ", ".join(code(each.value) for each in spec.stops_with) or "reports only",
            )
            for gate, spec in GATES.items()
        ),
    )
    letters = "Reasons of records that cannot be read: "
    letters += ", ".join(code(each) for each in sorted(REASONS)) + ".\n"
    return f"{_HEAD}{outcomes}\n## Gates\n\n{gates}\n## Dead letters\n\n{letters}"
