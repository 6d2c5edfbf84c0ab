"""Predicts customers of high value from their first days: logistic regression."""

from math import isfinite
from typing import Final

import msgspec
import numpy as np
from sklearn.metrics import roc_auc_score

from app.analysis.segments.clusters import TooFew
from app.analysis.segments.features import NAMES, Early
from app.analysis.segments.logistic import fit_logistic
from app.analysis.statistics.intervals import Interval, area_interval
from app.core.customer.scoring_model import Logistic
from app.core.identity import BUCKETS, bucket_of

#: The share of customers with the highest later spend.
TOP_SHARE: Final = 0.2
#: Customers who are kept from the fit, to see how well it does with people it has not met.
_HELD_OUT: Final = 0.3
_SALT: Final = "segments-fit"


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
    with np.errstate(over="ignore", invalid="ignore"):
        spend_over = float(np.quantile(early.later_spend, 1 - TOP_SHARE))
    if not isfinite(spend_over):
        raise TooFew("what is spent is beyond the range of numbers: look for an impossible amount")
    is_high = (early.later_spend >= spend_over) & (early.later_spend > 0)
    found = fit_logistic(NAMES, early.features.values, is_high, held_out)
    auc = float(roc_auc_score(is_high[held_out], found.held_out))
    high = int(is_high[held_out].sum())
    return HighValueFit(
        model=Logistic(features=found.features, intercept=found.intercept),
        early_days=early.early_days,
        horizon_days=early.horizon_days,
        spend_over=spend_over,
        fitted=int((~held_out).sum()),
        held_out=int(held_out.sum()),
        high_held_out=high,
        auc=auc,
        auc_interval=area_interval(auc, high, int(held_out.sum()) - high),
    )
