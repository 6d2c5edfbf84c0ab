"""How well a prediction does, compared with a naive one."""

from collections.abc import Callable
from typing import Any

import msgspec

from app.analysis.segments.clusters import TooFew
from app.analysis.statistics.intervals import Interval, wilson


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """``score`` and ``baseline`` are of the ``held_out`` cases, of customers that were kept from
    the fit: ``measure`` says what they are. ``is_kept``: it beats the baseline and is in the model;
    else ``reason`` says why not.
    """

    name: str
    measure: str
    baseline_name: str
    score: float | None = None
    score_interval: Interval | None = None
    baseline: float | None = None
    baseline_interval: Interval | None = None
    fitted: int = 0
    held_out: int = 0
    is_kept: bool = False
    reason: str | None = None


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the model, and how well it does."""

    part: Any
    report: Prediction


def judged(report: Prediction) -> Prediction:
    """Whether it is kept: only when its score is over the baseline's."""
    assert report.score is not None
    assert report.baseline is not None
    if report.score > report.baseline:
        return msgspec.structs.replace(report, is_kept=True)
    reason = f"does not beat {report.baseline_name}"
    return msgspec.structs.replace(report, reason=reason)


def judged_by_hits(
    empty: Prediction, *, hits: int, baseline_hits: int, fitted: int, held_out: int
) -> Prediction:
    """The judged report of guesses, of which so many of the ``held_out`` were right."""
    report = msgspec.structs.replace(
        empty,
        score=hits / held_out,
        score_interval=wilson(hits, held_out),
        baseline=baseline_hits / held_out,
        baseline_interval=wilson(baseline_hits, held_out),
        fitted=fitted,
        held_out=held_out,
    )
    return judged(report)


def tried(empty: Prediction, fit: Callable[[], Fitted]) -> Fitted:
    """The fit, or without a part when there is too little to fit it."""
    try:
        return fit()
    except TooFew as exc:
        return Fitted(part=None, report=msgspec.structs.replace(empty, reason=str(exc)))
