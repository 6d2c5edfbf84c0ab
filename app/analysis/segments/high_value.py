"""Predicts customers of high value from their first days: logistic regression."""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from app.analysis.segments.clusters import TooFew
from app.analysis.segments.features import NAMES, Early
from app.analysis.statistics.intervals import Interval, area_interval
from app.core.customer.scoring_model import Logistic, Weighted
from app.core.identity import BUCKETS, bucket_of

#: The share of customers with the highest later spend.
TOP_SHARE: Final = 0.2
#: Customers who are kept from the fit, to see how well it does with people it has not met.
_HELD_OUT: Final = 0.3
_SALT: Final = "segments-fit"
#: Of either kind, in either part: with fewer nothing is fitted.
_FEWEST: Final = 20

Flags = NDArray[np.bool_]


class HighValueFit(msgspec.Struct, frozen=True, kw_only=True):
    """A customer is of high value when ``spend_over`` or more was spent in the horizon.

    ``auc`` is of the ``held_out`` customers, of whom ``high_held_out`` were of high value: the
    chance that one of these has a higher probability than one who was not.
    """

    model: Logistic
    early_days: int
    horizon_days: int
    spend_over: float
    fitted: int
    held_out: int
    high_held_out: int
    auc: float
    auc_interval: Interval


def is_held_out(customer_id: str) -> bool:
    """The same customers each time, by a hash of their id."""
    return bucket_of(_SALT, customer_id) < _HELD_OUT * BUCKETS


def fit_high_value(early: Early) -> HighValueFit:
    """Raises TooFew."""
    held_out = np.array([is_held_out(name) for name in early.features.customer_ids], dtype=bool)
    if not len(held_out):
        days = early.early_days + early.horizon_days
        raise TooFew(f"no first purchase is {days} days before the end of the history")
    spend_over = float(np.quantile(early.later_spend, 1 - TOP_SHARE))
    is_high = (early.later_spend >= spend_over) & (early.later_spend > 0)
    for part in (held_out, ~held_out):
        fewest = min(int((is_high & part).sum()), int((~is_high & part).sum()))
        if fewest < _FEWEST:
            raise TooFew(f"{fewest} customers of one kind in a part of the data, not {_FEWEST}")
    values = early.features.values
    fitted = values[~held_out]
    kept = [n for n in range(len(NAMES)) if fitted[:, n].std() > 0]
    means, stds = fitted[:, kept].mean(axis=0), fitted[:, kept].std(axis=0)
    z = (values[:, kept] - means) / stds
    regression = LogisticRegression(max_iter=1000).fit(z[~held_out], is_high[~held_out])
    p = regression.predict_proba(z[held_out])[:, 1]
    auc = float(roc_auc_score(is_high[held_out], p))
    high = int(is_high[held_out].sum())
    features = zip((NAMES[n] for n in kept), means, stds, regression.coef_[0], strict=True)
    return HighValueFit(
        model=Logistic(
            features=tuple(
                Weighted(name=name, mean=float(mean), std=float(std), coefficient=float(weight))
                for name, mean, std, weight in features
            ),
            intercept=float(regression.intercept_[0]),
        ),
        early_days=early.early_days,
        horizon_days=early.horizon_days,
        spend_over=spend_over,
        fitted=int((~held_out).sum()),
        held_out=int(held_out.sum()),
        high_held_out=high,
        auc=auc,
        auc_interval=area_interval(auc, high, int(held_out.sum()) - high),
    )
