"""Logistic regression on standardised features, fitted to one part of the customers."""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from app.analysis.segments.clusters import TooFew, standardise
from app.core.customer.scoring_model import Weighted

#: Of either kind, in either part: with fewer nothing is fitted.
_FEWEST: Final = 20
_MOST_STEPS: Final = 2_000

Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]


class LogisticFit(msgspec.Struct, frozen=True, kw_only=True):
    """What the model file holds, and the probabilities of the customers that were ``held_out``."""

    features: tuple[Weighted, ...]
    intercept: float
    held_out: NDArray[np.float64]


def fit_logistic(
    names: Sequence[str], values: Matrix, flags: Flags, held_out: Flags
) -> LogisticFit:
    """How likely a customer has the flag, by the columns of ``values``, whose names are ``names``.

    A feature that is the same for all who are fitted is left out. Raises TooFew.
    """
    for part in (held_out, ~held_out):
        fewest = min(int((flags & part).sum()), int((~flags & part).sum()))
        if fewest < _FEWEST:
            raise TooFew(f"{fewest} customers of one kind in a part of the data, not {_FEWEST}")
    kept, means, stds, z = standardise(names, values, values[~held_out])
    regression = LogisticRegression(max_iter=_MOST_STEPS).fit(z[~held_out], flags[~held_out])
    weights = zip((names[n] for n in kept), means, stds, regression.coef_[0], strict=True)
    return LogisticFit(
        features=tuple(
            Weighted(name=name, mean=float(mean), std=float(std), coefficient=float(weight))
            for name, mean, std, weight in weights
        ),
        intercept=float(regression.intercept_[0]),
        held_out=regression.predict_proba(z[held_out])[:, 1],
    )
