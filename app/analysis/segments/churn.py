"""Churn: how likely a customer buys nothing in the next CHURN_DAYS; logistic regression.

The baseline is recency alone: the longer without a purchase, the likelier the churn.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np
from sklearn.metrics import roc_auc_score

from app.analysis.segments.clusters import TooFew
from app.analysis.segments.features import known_features
from app.analysis.segments.high_value import is_held_out
from app.analysis.segments.logistic import fit_logistic
from app.analysis.segments.scores import Fitted, Prediction, judged
from app.analysis.segments.traces import Traces
from app.analysis.statistics.intervals import area_interval
from app.backtest.history import Arrival
from app.backtest.replay import Replay
from app.core.compile import compile_rules
from app.core.customer.features import CHURN
from app.core.customer.scoring_model import Churn

CHURN_DAYS: Final = 90
EMPTY: Final = Prediction(
    name="churn",
    measure=f"AUC: no purchase in {CHURN_DAYS} days",
    baseline_name="recency alone",
)


def churn_at(arrivals: Iterable[Arrival], cut_ms: int) -> dict[str, list[float]]:
    """The features of all customers with a purchase by then, as the engine's records have them."""
    replay = Replay(compile_rules({"version": 1, "triggers": {}}, version=""), lambda _: None)
    for arrival in arrivals:
        if arrival.arrived_ms is not None and arrival.arrived_ms > cut_ms:
            break
        replay.take(arrival)
    rows = {}
    for customer in replay.customers:
        row = known_features(customer, cut_ms, CHURN)
        if row is not None:
            rows[customer.customer_id] = row
    return rows


def fit_churn(rows: dict[str, list[float]], traces: Traces, cut_ms: int) -> Fitted:
    """Raises TooFew."""
    ids = sorted(rows)
    if not ids:
        raise TooFew(f"no purchase more than {CHURN_DAYS} days before the end of the history")
    values = np.array([rows[name] for name in ids], dtype=np.float64)
    is_gone = np.array(
        [
            all(purchase.occurred_ms <= cut_ms for purchase in traces.purchases_of(name))
            for name in ids
        ]
    )
    held_out = np.array([is_held_out(name) for name in ids])
    found = fit_logistic(CHURN, values, is_gone, held_out)
    actual = is_gone[held_out]
    auc = float(roc_auc_score(actual, found.held_out))
    recency = values[held_out][:, CHURN.index("recency_days")]
    naive = float(roc_auc_score(actual, recency))
    gone, there = int(actual.sum()), int((~actual).sum())
    model = Churn(features=found.features, intercept=found.intercept, horizon_days=CHURN_DAYS)
    report = msgspec.structs.replace(
        EMPTY,
        score=auc,
        score_interval=area_interval(auc, gone, there),
        baseline=naive,
        baseline_interval=area_interval(naive, gone, there),
        fitted=int((~held_out).sum()),
        held_out=int(held_out.sum()),
    )
    return Fitted(part=model, report=judged(report))
