"""When an experiment stops, and what it then says."""

from collections.abc import Sequence
from math import inf
from typing import Final

import msgspec
import numpy as np

from app.analysis.experiments.design import Design
from app.analysis.experiments.exposures import NEVER, Exposures
from app.analysis.experiments.finding import Finding, VariantFinding
from app.analysis.experiments.guardrail import standing_words, watch
from app.analysis.kpis.written import percent_text
from app.analysis.statistics.intervals import newcombe, wilson
from app.analysis.statistics.power import ALPHA
from app.analysis.statistics.sequential import log_evidence_of_split
from app.analysis.statistics.significance import holm, split_p_value, two_shares

#: A split that is less likely than this did not come of the assignment: strict, because it is
#: asked of every experiment (Fabijan et al. 2019, "Diagnosing sample ratio mismatch in online
#: controlled experiments", KDD).
SPLIT_LEVEL: Final = 0.001


def judge(exposures: Exposures, design: Design, now_ms: int, changed: str | None = None) -> Finding:
    """The finding at that instant. Decisions after ``stop_ms`` change nothing of a verdict; of an
    experiment that a guardrail stopped, all figures are as of the instant at which it broke.

    ``changed``: what to say of a design that was changed after the first assignment.
    """
    stop = stop_ms(exposures, design)
    guardrail = watch(exposures, design, int(min(stop, now_ms)))
    broken_ms = min(
        (each.broken_ms for each in guardrail if each.broken_ms is not None), default=None
    )
    if broken_ms is not None:
        stop = broken_ms
        guardrail = watch(exposures, design, broken_ms)
        exposures = exposures.recorded_by(broken_ms)
    is_stopped = stop <= now_ms
    until_ms = int(stop) if is_stopped else now_ms
    variants = _compared(exposures, design, until_ms)
    finding = Finding(
        verdict="running",
        reason=_why_running(design, variants, is_stopped=is_stopped),
        now_ms=now_ms,
        stop_ms=until_ms if is_stopped else None,
        split_p=split_p_value(
            [each.assigned for each in variants], [arm.share for arm in design.arms]
        ),
        variants=variants,
        guardrail=guardrail,
    )
    if changed is not None:
        return msgspec.structs.replace(finding, verdict="invalid", reason=changed)
    lowest_p = _lowest_split_p(exposures, design, until_ms)
    if lowest_p < SPLIT_LEVEL:
        return _mismatch(finding, lowest_p)
    if broken_ms is not None:
        return _stopped(finding, design)
    if is_stopped and now_ms >= until_ms + design.window_ms:
        return _decided(finding, is_less_better=design.is_less_better)
    return finding


def _stopped(finding: Finding, design: Design) -> Finding:
    """The first variant that had broken its guardrail when the experiment stopped."""
    assert design.guardrail is not None
    guardrail = design.guardrail
    worst = next(each for each in finding.guardrail if each.broken_ms is not None)
    limit = f"{percent_text(guardrail.worst)} %"
    count = standing_words(worst, guardrail)
    found = f"{count}, at most {limit} may"
    if not guardrail.is_less_better:
        found = f"only {count}, at least {limit} have to"
    reason = f"it broke its guardrail: {found}; daily looks are allowed for"
    return msgspec.structs.replace(finding, verdict="stopped", stopped=worst.variant, reason=reason)


def _lowest_split_p(exposures: Exposures, design: Design, until_ms: int) -> float:
    """The lowest p-value of the split at any instant until then, of a test that may be asked at all
    of them: what was once found stays found.
    """
    is_assigned = exposures.assigned_ms <= until_ms
    order = np.argsort(exposures.assigned_ms[is_assigned], kind="stable")
    assigned_ms = exposures.assigned_ms[is_assigned][order]
    evidence = log_evidence_of_split(
        exposures.variant[is_assigned][order], [arm.share for arm in design.arms]
    )
    is_look = np.diff(assigned_ms, append=NEVER) > 0
    return float(np.exp(-evidence[is_look].max(initial=0.0)))


def _mismatch(finding: Finding, p_value: float) -> Finding:
    reason = (
        "the customers are not split as planned (sample ratio mismatch): of chance alone a split"
        f" like this has a p-value of {p_value:.2g}, so something besides the assignment decides"
        " who is counted"
    )
    return msgspec.structs.replace(finding, verdict="invalid", reason=reason)


def stop_ms(exposures: Exposures, design: Design) -> float:
    """When the last variant has its ``min_sample``, or ``max_duration`` ends; never: infinity."""
    end = inf if design.end_ms is None else float(design.end_ms)
    if design.min_sample is None:
        return end
    return min(end, max(_nth_ms(exposures, n, design.min_sample) for n in range(len(design.arms))))


def _nth_ms(exposures: Exposures, place: int, nth: int) -> float:
    """When a variant had its nth customer."""
    is_of = (exposures.variant == place) & (exposures.exposed_ms != NEVER)
    instants = exposures.exposed_ms[is_of]
    return inf if len(instants) < nth else float(np.partition(instants, nth - 1)[nth - 1])


def _compared(exposures: Exposures, design: Design, until_ms: int) -> tuple[VariantFinding, ...]:
    """Each variant by what was decided until then, and against the first."""
    first, *others = (
        _counted(exposures, place, arm.name, until_ms, is_ghost=arm.is_ghost)
        for place, arm in enumerate(design.arms)
    )
    if first.sample == 0 or any(other.sample == 0 for other in others):
        return (first, *others)
    p_values = [
        two_shares(other.successes, other.sample, first.successes, first.sample) for other in others
    ]
    compared = zip(others, p_values, holm(p_values), strict=True)
    return (first, *(_against(first, *each) for each in compared))


def _counted(
    exposures: Exposures, place: int, name: str, until_ms: int, *, is_ghost: bool
) -> VariantFinding:
    is_of = exposures.variant == place
    sample = int(np.count_nonzero(is_of & (exposures.exposed_ms <= until_ms)))
    successes = int(np.count_nonzero(is_of & (exposures.success_ms <= until_ms)))
    return VariantFinding(
        name=name,
        is_ghost=is_ghost,
        assigned=int(np.count_nonzero(is_of & (exposures.assigned_ms <= until_ms))),
        sample=sample,
        successes=successes,
        rate=successes / sample if sample else None,
        rate_interval=wilson(successes, sample) if sample else None,
    )


def _against(
    first: VariantFinding, other: VariantFinding, p_value: float, corrected_p: float
) -> VariantFinding:
    base, rate = first.successes / first.sample, other.successes / other.sample
    return msgspec.structs.replace(
        other,
        lift=rate - base,
        lift_interval=newcombe(other.successes, other.sample, first.successes, first.sample),
        relative_lift=rate / base - 1 if base else None,
        p_value=p_value,
        corrected_p=corrected_p,
    )


def _why_running(design: Design, variants: Sequence[VariantFinding], *, is_stopped: bool) -> str:
    if is_stopped:
        return "complete; the attribution window of its last messages has not passed"
    if design.min_sample is None:
        if design.end_ms is None:
            return "the rules say neither min_sample nor max_duration: it never ends"
        return "max_duration has not passed"
    fewest = min(each.sample for each in variants)
    return f"{fewest} of {design.min_sample} customers in the smallest variant"


def _decided(finding: Finding, *, is_less_better: bool) -> Finding:
    """A verdict: the sample is complete and so are its outcomes."""
    if finding.split_p < SPLIT_LEVEL:
        return _mismatch(finding, finding.split_p)
    if any(each.sample == 0 for each in finding.variants):
        reason = "a variant has no customers"
        return msgspec.structs.replace(finding, verdict="invalid", reason=reason)
    winner = _winner(finding.variants, sign=-1 if is_less_better else 1)
    if winner is None:
        reason = (
            f"no variant is better than the first beyond chance (corrected p-value < {ALPHA:g})"
        )
        return msgspec.structs.replace(finding, verdict="no difference", reason=reason)
    reason = (
        "every other variant is worse beyond chance"
        if winner.corrected_p is None
        else f"better than the first beyond chance (corrected p-value {winner.corrected_p:.2g})"
    )
    return msgspec.structs.replace(finding, verdict="winner", winner=winner.name, reason=reason)


def _winner(variants: Sequence[VariantFinding], sign: int) -> VariantFinding | None:
    """The best of those that beat the first; the first when it beats all others.

    ``sign`` -1: less is better.
    """
    first, *others = variants
    different = [each for each in others if (each.corrected_p or 0) < ALPHA]
    better = [each for each in different if sign * (each.lift or 0) > 0]
    if better:
        return max(better, key=lambda each: sign * (each.rate or 0))
    return first if others and len(different) == len(others) else None
