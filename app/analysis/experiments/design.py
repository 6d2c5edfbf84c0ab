"""An experiment as its rules plan it."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import msgspec

from app.core.errors import ConfigError
from app.core.identity import BUCKETS
from app.core.rules.model import Experiment, Rules
from app.core.time.durations import parse_duration_ms

#: kind of outcome -> how else a rules file may call the metric
METRICS: Final = {
    "conversion": ("converted", "conversions", "conversion_rate"),
    "recovery": ("recovered", "recoveries", "recovery_rate"),
    "delivered": ("delivery_rate",),
    "opened": ("open", "opens", "open_rate"),
    "clicked": ("click", "clicks", "click_rate"),
    "surveyed": ("survey", "survey_rate"),
    "review": ("reviews", "review_rate"),
    "bounced": ("bounce", "bounces", "bounce_rate"),
    "complained": ("complaint", "complaints", "complaint_rate"),
    "unsubscribed": ("unsubscribe", "unsubscribes", "unsubscribe_rate"),
    "support": ("support_contacts", "support_rate"),
}
DEFAULT_METRIC: Final = "conversion"
#: Of these less is better.
_UNWANTED: Final = frozenset({"bounced", "complained", "unsubscribed", "support"})
#: These come of a message that was really sent: a ghost has none.
_OF_MESSAGES: Final = frozenset(
    {"delivered", "opened", "clicked", "surveyed", "bounced", "complained", "unsubscribed"}
)


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """A variant: what share of the customers gets it, and whether it sends nothing."""

    name: str
    share: float
    is_ghost: bool


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """What was planned. Instances whose anchor is at or after ``from_ms`` count: the start and
    ``burn_in``. ``end_ms`` and ``min_sample`` are None when the rules do not say.
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


def designs(rules: Rules) -> Iterator[Design]:
    """Every experiment of the rules. Raises ConfigError for a metric that is not recorded."""
    for trigger in rules.triggers.values():
        if trigger.experiment is not None:
            body = rules.document["experiments"][trigger.experiment.name]
            yield _design(trigger.name, trigger.experiment, body, rules.attribution_ms)


def _design(trigger: str, experiment: Experiment, body: dict[str, Any], window_ms: int) -> Design:
    metric = metric_named(body.get("metric", DEFAULT_METRIC), experiment.name)
    edges = (0, *(variant.below for variant in experiment.variants))
    arms = tuple(
        Arm(name=variant.name, share=(below - start) / BUCKETS, is_ghost=variant.is_ghost)
        for variant, (start, below) in zip(experiment.variants, pairwise(edges), strict=True)
    )
    if metric in _OF_MESSAGES and any(arm.is_ghost for arm in arms):
        raise ConfigError(
            f"experiments.{experiment.name}.metric: expected one that a variant without messages"
            f" can have ({', '.join(sorted(METRICS.keys() - _OF_MESSAGES))}), got {metric!r}"
        )
    return Design(
        name=experiment.name,
        trigger=trigger,
        hypothesis=body.get("hypothesis"),
        metric=metric,
        is_less_better=metric in _UNWANTED,
        arms=arms,
        from_ms=experiment.start_ms + parse_duration_ms(body.get("burn_in", 0)),
        end_ms=experiment.end_ms if "max_duration" in body else None,
        min_sample=body.get("min_sample"),
        window_ms=window_ms,
    )


def metric_named(name: str, experiment: str) -> str:
    """The kind of outcome that a rules file calls so, in any case. Raises ConfigError."""
    wanted = name.strip().lower().replace(" ", "_")
    for kind, aliases in METRICS.items():
        if wanted == kind or wanted in aliases:
            return kind
    raise ConfigError(
        f"experiments.{experiment}.metric: expected one of {', '.join(METRICS)}, got {name!r}"
    )
