"""Experiments: which variant of a trigger an instance gets (spec section 6).

A customer's bucket is the first 8 bytes, big-endian, of SHA-256(``salt|experiment|customer_id``)
mod 10000, as the holdout's. The variants share the buckets by weight, in the order of the file.
An instance takes part when its anchor lies in [start, start + max_duration), so it keeps its
variant through all of its steps, and a replay gives it the same one. An experiment with an
audience (``when``) takes only instances that opened while the condition held: they remember its
name. A variant has steps of its own: the trigger's with ``after``, ``template``, ``channels`` and
``deliver`` of the first replaced, or other steps altogether.
"""

from app.core.customer.instance import Instance
from app.core.customer.record import Customer
from app.core.identity import bucket_of
from app.core.rules.model import Experiment, Step, Trigger, Variant


def variant_at(experiment: Experiment, customer_id: str, anchor_ms: int) -> Variant | None:
    """The variant of an instance of the audience, None when it is anchored outside of the time."""
    if not experiment.start_ms <= anchor_ms < experiment.end_ms:
        return None
    bucket = bucket_of(f"{experiment.salt}|{experiment.name}", customer_id)
    return next(variant for variant in experiment.variants if bucket < variant.below)


def variant_of(trigger: Trigger, customer_id: str, instance: Instance) -> Variant | None:
    """The variant of an instance, None when it does not take part in an experiment."""
    experiment = trigger.experiment
    if experiment is None:
        return None
    if experiment.audience is not None and instance.audience != experiment.name:
        return None
    return variant_at(experiment, instance.opened_by or customer_id, instance.anchor_ms)


def audience_of(
    trigger: Trigger, data: dict[str, object], customer: Customer, now_ms: int
) -> str | None:
    """The trigger's experiment when it asks who may take part and the customer may: the value of
    ``Instance.audience`` for an instance that opens now.
    """
    experiment = trigger.experiment
    if experiment is None or experiment.audience is None:
        return None
    return experiment.name if experiment.audience(data, customer, now_ms) else None


def steps_of(trigger: Trigger, customer_id: str, instance: Instance) -> tuple[Step, ...]:
    """The steps of an instance, as its variant has them."""
    if trigger.experiment is None:
        return trigger.steps
    variant = variant_of(trigger, customer_id, instance)
    return trigger.steps if variant is None else variant.steps
