"""Which template a step uses: the only one, or the first of several whose condition holds."""

from collections.abc import Mapping
from typing import Any

from app.core.customer import Customer
from app.core.rules import Step


def template_of(step: Step, data: Mapping[str, Any], customer: Customer, now_ms: int) -> str | None:
    """The template, None when no condition holds. ``data`` is the anchoring event's."""
    if step.template is not None:
        return step.template
    for when, template in step.templates:
        if when is None or when(data, customer, now_ms):
            return template
    return None
