"""What an experiment says, as values."""

from typing import Literal

import msgspec

from app.analysis.experiments.guardrail import GuardrailFinding
from app.analysis.experiments.registration import Registered
from app.analysis.statistics.intervals import Interval

Verdict = Literal["running", "winner", "no difference", "stopped", "invalid"]


class VariantFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One variant. ``sample`` customers, of whom ``successes`` had the metric.

    ``assigned`` also counts those that the global holdout keeps from the messages. ``lift`` is the
    rate less the first variant's, ``relative_lift`` their ratio less one; p-values are of the rates
    being the same, ``corrected_p`` by Holm over all variants.
    """

    name: str
    is_ghost: bool
    assigned: int
    sample: int
    successes: int
    rate: float | None = None
    rate_interval: Interval | None = None
    lift: float | None = None
    lift_interval: Interval | None = None
    relative_lift: float | None = None
    p_value: float | None = None
    corrected_p: float | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What an experiment says at ``now_ms``, and why it says no more.

    ``stop_ms`` is when it stopped taking in customers, None when it has not. The figures are of
    then, or, while it runs, so far. ``split_p`` is the p-value of the split among the variants.
    ``stopped`` is the variant that broke its guardrail. ``registered`` are the designs that
    decisions were made under.
    """

    verdict: Verdict
    winner: str | None = None
    stopped: str | None = None
    reason: str
    now_ms: int
    stop_ms: int | None
    split_p: float
    variants: tuple[VariantFinding, ...]
    guardrail: tuple[GuardrailFinding, ...] = ()
    registered: tuple[Registered, ...] = ()
