"""Guardrails: whether a variant does worse than it may, looked at whenever anything happened."""

from math import inf, log

import msgspec
import numpy as np

from app.analysis.experiments.design import METRIC_WORDS, Design, Guardrail
from app.analysis.experiments.exposures import NEVER, Exposures
from app.analysis.kpis.written import count_text
from app.analysis.statistics.power import ALPHA
from app.analysis.statistics.sequential import log_evidence_over
from app.core.rules.metrics import NEED_A_MESSAGE


class GuardrailFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One variant at the last look: ``harmed`` of ``sample`` customers had what the guardrail is
    about (of a wanted metric: did not have it). ``broken_ms`` is the first instant at which the
    evidence was enough, None while it is not.
    """

    variant: str
    sample: int
    harmed: int
    broken_ms: int | None


def standing_words(found: GuardrailFinding, guardrail: Guardrail) -> str:
    """``9 of 209 customers unsubscribed``: those who have the metric, be it wanted or not."""
    count = found.harmed if guardrail.is_less_better else found.sample - found.harmed
    words = METRIC_WORDS[guardrail.metric]
    return f"{count_text(count)} of {count_text(found.sample)} customers {words}"


def watch(exposures: Exposures, design: Design, until_ms: int) -> tuple[GuardrailFinding, ...]:
    """Each variant that can break the guardrail, looked at after all that happened until then, so
    that what was once broken stays broken.

    Of an unwanted metric every customer exposed so far counts; of a wanted one only those whose
    attribution window has passed, because before that having none is no failure. The level is
    shared among the variants (Bonferroni).
    """
    guardrail = design.guardrail
    if guardrail is None:
        return ()
    watched = [
        (place, arm.name)
        for place, arm in enumerate(design.arms)
        if not (arm.is_ghost and guardrail.metric in NEED_A_MESSAGE)
    ]
    level = log(len(watched) / ALPHA) if watched else inf
    return tuple(_watched(exposures, design, until_ms, *each, level) for each in watched)


def _watched(
    exposures: Exposures, design: Design, until_ms: int, place: int, name: str, level: float
) -> GuardrailFinding:
    assert design.guardrail is not None
    is_of = (exposures.variant == place) & (exposures.exposed_ms != NEVER)
    exposed_ms, harmed_ms = exposures.exposed_ms[is_of], exposures.harmed_ms[is_of]
    limit = design.guardrail.worst
    if not design.guardrail.is_less_better:
        # having none by the end of the window is what is counted, at that time
        ripe_ms = exposed_ms + design.window_ms
        has_none = harmed_ms > ripe_ms
        exposed_ms, harmed_ms = ripe_ms, np.where(has_none, ripe_ms, NEVER)
        limit = 1 - limit
    is_counted = exposed_ms <= until_ms
    exposed, harmed = np.sort(exposed_ms[is_counted]), np.sort(harmed_ms[is_counted])
    if not len(exposed):
        return GuardrailFinding(variant=name, sample=0, harmed=0, broken_ms=None)
    looks = np.unique(np.concatenate((exposed, harmed[harmed <= until_ms])))
    trials = np.searchsorted(exposed, looks, side="right")
    harms = np.searchsorted(harmed, looks, side="right")
    broken = np.flatnonzero(log_evidence_over(harms, trials, limit) >= level)
    return GuardrailFinding(
        variant=name,
        sample=int(trials[-1]),
        harmed=int(harms[-1]),
        broken_ms=int(looks[broken[0]]) if len(broken) else None,
    )
