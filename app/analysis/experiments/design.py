"""An experiment as its rules plan it."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import msgspec

from app.core.identity import BUCKETS
from app.core.rules.metrics import DEFAULT_METRIC, LESS_IS_BETTER, metric_named
from app.core.rules.model import Experiment, Rules
from app.core.time.durations import parse_duration_ms

#: What a customer did who has the metric.
METRIC_WORDS: Final = {
    "conversion": "made a purchase",
    "recovery": "came back and bought their cart",
    "delivered": "got the message",
    "opened": "opened the message",
    "clicked": "clicked the message",
    "surveyed": "answered the survey",
    "review": "wrote a review",
    "bounced": "had a message bounce",
    "complained": "complained about a message",
    "unsubscribed": "unsubscribed",
    "support": "called the support",
}


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """A variant: what share of the customers gets it, and whether it sends nothing."""

    name: str
    share: float
    is_ghost: bool


class Guardrail(msgspec.Struct, frozen=True, kw_only=True):
    """The share of customers with the metric that is just acceptable."""

    metric: str
    worst: float
    is_less_better: bool


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """What was planned. Instances whose anchor is at or after ``from_ms`` count: the start and
    ``burn_in``. ``end_ms`` and ``min_sample`` are None when the rules do not say. ``entry`` is the
    experiment as the rules file has it, ``hash`` the design that decisions carry.
    """

    name: str
    trigger: str
    hypothesis: str | None
    metric: str
    is_less_better: bool
    arms: tuple[Arm, ...]
    from_ms: int
    end_ms: int | None
    min_sample: int | None
    window_ms: int
    guardrail: Guardrail | None
    hash: str
    entry: dict[str, Any]


def designs(rules: Rules) -> Iterator[Design]:
    """Every experiment of the rules. The rules are valid."""
    for trigger in rules.triggers.values():
        if trigger.experiment is not None:
            body = rules.document["experiments"][trigger.experiment.name]
            yield _design(trigger.name, trigger.experiment, body, rules.attribution_ms)


def _design(trigger: str, experiment: Experiment, body: dict[str, Any], window_ms: int) -> Design:
    metric = metric_named(body.get("metric", DEFAULT_METRIC)) or DEFAULT_METRIC
    edges = (0, *(variant.below for variant in experiment.variants))
    arms = tuple(
        Arm(name=variant.name, share=(below - start) / BUCKETS, is_ghost=variant.is_ghost)
        for variant, (start, below) in zip(experiment.variants, pairwise(edges), strict=True)
    )
    return Design(
        name=experiment.name,
        trigger=trigger,
        hypothesis=body.get("hypothesis"),
        metric=metric,
        is_less_better=metric in LESS_IS_BETTER,
        arms=arms,
        from_ms=experiment.start_ms + parse_duration_ms(body.get("burn_in", 0)),
        end_ms=experiment.end_ms if "max_duration" in body else None,
        min_sample=body.get("min_sample"),
        window_ms=window_ms,
        guardrail=_guardrail(body.get("guardrail")),
        hash=experiment.design,
        entry=dict(body),
    )


def _guardrail(body: dict[str, Any] | None) -> Guardrail | None:
    if body is None:
        return None
    metric = metric_named(body["metric"]) or DEFAULT_METRIC
    return Guardrail(metric=metric, worst=body["worst"], is_less_better=metric in LESS_IS_BETTER)
