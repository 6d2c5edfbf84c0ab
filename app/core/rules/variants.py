"""Experiments: which variant of a trigger an instance gets (spec section 6).

A customer's bucket is the first 8 bytes, big-endian, of SHA-256(``salt|experiment|customer_id``)
mod 10000, as the holdout's. The variants share the buckets by weight, in the order of the file.
An instance takes part when its anchor lies in [start, start + max_duration), so it keeps its
variant through all of its steps, and a replay gives it the same one. ``after``, ``template`` and
``channels`` of a variant replace those of the trigger's first step; the later steps are alike in
all variants.
"""

from app.core.identity import bucket_of
from app.core.rules.model import Experiment, Step, Trigger, Variant


def variant_of(experiment: Experiment, customer_id: str, anchor_ms: int) -> Variant | None:
    """The variant of an instance, None when it does not take part."""
    if not experiment.start_ms <= anchor_ms < experiment.end_ms:
        return None
    bucket = bucket_of(f"{experiment.salt}|{experiment.name}", customer_id)
    return next(variant for variant in experiment.variants if bucket < variant.below)


def steps_of(trigger: Trigger, customer_id: str, anchor_ms: int) -> tuple[Step, ...]:
    """The steps of an instance, as its variant has them."""
    if trigger.experiment is None:
        return trigger.steps
    variant = variant_of(trigger.experiment, customer_id, anchor_ms)
    return trigger.steps if variant is None else variant.steps
