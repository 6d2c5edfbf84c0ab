"""What a step's send led to, as the later steps of its instance may ask for it (spec section 5).

``Instance.step_marks`` keeps one integer of these bits for each step. A click counts as an
open; a ghost send can be converted, never delivered, opened or clicked.
"""

from typing import Any, Final

from app.core.customer.instance import Instance

DELIVERED: Final = 1
OPENED: Final = 2
CLICKED: Final = 4
CONVERTED: Final = 8
GHOST: Final = 16

#: The names under ``step.N.``, and ``on`` of ``from``.
MARKS: Final = {
    "sent": 0,
    "delivered": DELIVERED,
    "opened": OPENED,
    "clicked": CLICKED,
    "converted": CONVERTED,
}


def with_step_facts(instance: Instance) -> dict[str, Any]:
    """The instance's data and, as ``step.N.NAME``, every flag that is true."""
    data = dict(instance.data)
    for step in range(instance.sent.bit_length()):
        if instance.sent >> step & 1:
            data[f"step.{step}.sent"] = True
            marks_so_far = instance.step_marks[step] if step < len(instance.step_marks) else 0
            for name, bit in MARKS.items():
                if marks_so_far & bit:
                    data[f"step.{step}.{name}"] = True
    return data


def tell(instance: Instance, step: int, marks: int) -> None:
    """Keep marks of a step."""
    instance.step_marks += [0] * (step + 1 - len(instance.step_marks))
    instance.step_marks[step] |= marks
