"""Predictions for the model file, each held against a naive guess with customers kept from the fit.

One that does no better than its baseline is left out of the model, and the report says so.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from app.analysis.segments import best_channel, churn, next_product
from app.analysis.segments.best_channel import fit_best_channel
from app.analysis.segments.churn import CHURN_DAYS, churn_at, fit_churn
from app.analysis.segments.next_product import fit_next_product
from app.analysis.segments.scores import Fitted, Prediction, tried
from app.analysis.segments.traces import Traces
from app.backtest.history import Arrival, merge_arrivals, read_arrivals
from app.core.customer.scoring_model import BestChannel, Churn, NextProduct
from app.core.errors import ConfigError
from app.core.time.instants import DAY_MS
from app.formats.json_lines import open_lines

NAMES: Final = ("churn", "best_channel", "next_product")


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for: the parts that go into the model, and a line of report for each."""

    churn: Churn | None = None
    best_channel: BestChannel | None = None
    next_product: NextProduct | None = None
    reports: tuple[Prediction, ...] = ()


def fit_predictions(paths: Sequence[Path], wanted: Collection[str]) -> Predictions:
    """From a history of events, read twice. Raises ConfigError when it cannot be read."""
    unknown = sorted(set(wanted) - set(NAMES))
    if unknown:
        raise ConfigError(f"--with: expected some of {', '.join(NAMES)}, got {unknown[0]!r}")
    traces = Traces()
    with _arrivals(paths) as arrivals:
        for arrival in arrivals:
            traces.take(arrival)
    fitted: dict[str, Fitted] = {}
    if "churn" in wanted:
        cut_ms = traces.end_ms - CHURN_DAYS * DAY_MS
        with _arrivals(paths) as arrivals:
            rows = churn_at(arrivals, cut_ms)
        fitted["churn"] = tried(churn.EMPTY, lambda: fit_churn(rows, traces, cut_ms))
    if "best_channel" in wanted:
        fitted["best_channel"] = tried(best_channel.EMPTY, lambda: fit_best_channel(traces))
    if "next_product" in wanted:
        fitted["next_product"] = tried(next_product.EMPTY, lambda: fit_next_product(traces))
    parts = {name: each.part for name, each in fitted.items() if each.report.is_kept}
    return Predictions(**parts, reports=tuple(each.report for each in fitted.values()))


@contextmanager
def _arrivals(paths: Sequence[Path]) -> Iterator[Iterator[Arrival]]:
    with ExitStack() as stack:
        readers = [stack.enter_context(open_lines(path)) for path in paths]
        yield iter(merge_arrivals([read_arrivals(reader) for reader in readers]))
