"""What a step says: the variant's or the trigger's, with the template that holds now."""

from dataclasses import dataclass
from typing import Any

from app.core.customer.instance import Instance
from app.core.customer.record import Customer
from app.core.rules.model import Cooldown, Step, Trigger
from app.core.rules.step_marks import with_step_facts
from app.core.rules.variants import variant_of


@dataclass(slots=True, init=False)
class Message:
    """One step of one instance at one now.

    ``template`` None: there are several and no condition holds. ``experiment``: (name, variant).
    ``cooldown``: a variant's own.
    """

    step: Step
    template: str | None
    experiment: tuple[str, str] | None
    is_ghost: bool
    #: of the experiment
    design: str | None
    cooldown: Cooldown | None
    #: what the step's conditions see as the event, with the facts of earlier steps in a journey
    data: dict[str, Any]

    def __init__(
        self,
        step: Step,
        template: str | None,
        experiment: tuple[str, str] | None = None,
        is_ghost: bool = False,
        design: str | None = None,
        cooldown: Cooldown | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        self.step = step
        self.template = template
        self.experiment = experiment
        self.is_ghost = is_ghost
        self.design = design
        self.cooldown = cooldown
        self.data = {} if data is None else data


def message_of(
    trigger: Trigger, step: int, instance: Instance, customer: Customer, now_ms: int
) -> Message:
    """The message of the step with that index, which the trigger has."""
    data = with_step_facts(instance) if trigger.is_journey else instance.data
    variant = (
        None if trigger.experiment is None else variant_of(trigger, customer.customer_id, instance)
    )
    if variant is None:
        content = trigger.steps[step]
        template = content.template or template_of(content, data, customer, now_ms)
        return Message(content, template, data=data)
    assert trigger.experiment is not None
    content = variant.steps[step]
    return Message(
        content,
        template_of(content, data, customer, now_ms),
        (trigger.experiment.name, variant.name),
        variant.is_ghost,
        trigger.experiment.design,
        variant.cooldown,
        data,
    )


def template_of(step: Step, data: dict[str, Any], customer: Customer, now_ms: int) -> str | None:
    """The only template, or the first of several whose condition holds, None when none does."""
    if step.template is not None:
        return step.template
    for when, template in step.templates:
        if when is None or when(data, customer, now_ms):
            return template
    return None
