"""Engagement events as rules see them: with what they answer (spec section 5)."""

from typing import Any

from app.core.customer.parts import Sent
from app.core.rules.model import Rules


def answer_fields(rules: Rules, sent: Sent) -> dict[str, Any]:
    """``event.trigger``, ``event.step``, ``event.channel`` and ``event.template`` of the send that
    an engagement event names. ``template`` is missing when the rules no longer say it.
    """
    template = sent.template
    trigger = rules.triggers.get(sent.trigger)
    if template is None and trigger is not None and sent.step < len(trigger.steps):
        template = trigger.steps[sent.step].template
    fields = {"trigger": sent.trigger, "step": sent.step, "channel": sent.channel}
    return fields if template is None else {**fields, "template": template}
