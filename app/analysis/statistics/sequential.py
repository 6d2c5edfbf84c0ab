"""Tests that may be looked at every day: their level holds over all looks together.

Each is an e-process E: under the null hypothesis its mean is at most 1 at any time, so that the
chance that it ever reaches 1 / level is at most the level (Ville 1939, Étude critique de la notion
de collectif; Ramdas et al. 2023, "Game-theoretic statistics and safe anytime-valid inference",
Stat. Sci. 38, 576-601).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

Counts = NDArray[np.int64]
Numbers = NDArray[np.float64]

#: How firmly the split test believes in the planned shares: as after so many customers.
_SPLIT_PRIOR = 100.0


def log_evidence_over(successes: Counts, trials: Counts, limit: float) -> Numbers:
    """log E against "the share is at most ``limit``", for each look.

    The likelihood ratio mixed over the alternatives in (limit, 1) with a Beta prior of mean
    ``limit`` and first parameter 1, cut off there, so that harm near the limit is found (Robbins
    1970, "Statistical methods related to the law of the iterated logarithm", Ann. Math. Stat. 41,
    1397-1409). Each ratio is a supermartingale for every share up to the limit, so their mixture
    is. A success that is recorded late only makes it smaller.
    """
    a0, b0 = 1.0, (1 - limit) / limit
    a, b = a0 + successes, b0 + trials - successes
    prior = special.betaln(a0, b0) + np.log(special.betaincc(a0, b0, limit))
    with np.errstate(divide="ignore"):
        mixed = special.betaln(a, b) + np.log(special.betaincc(a, b, limit)) - prior
    null = successes * np.log(limit) + (trials - successes) * np.log1p(-limit)
    found: Numbers = mixed - null
    return found


def log_evidence_of_split(variants: Counts, shares: Sequence[float]) -> Numbers:
    """log E against "customers are split by ``shares``", after each customer; ``variants`` are
    theirs in the order in which they came.

    The multinomial likelihood ratio mixed over a Dirichlet prior around the shares (Lindon and
    Malek 2022, "Anytime-valid inference for multinomial count data", NeurIPS 35), one factor a
    customer.
    """
    planned = np.asarray(shares, dtype=float)
    prior = _SPLIT_PRIOR * planned
    before = np.zeros(len(variants))
    for place in range(len(planned)):
        is_of = variants == place
        before[is_of] = np.arange(np.count_nonzero(is_of))
    predicted = (prior[variants] + before) / (prior.sum() + np.arange(len(variants)))
    found: Numbers = np.cumsum(np.log(predicted) - np.log(planned[variants]))
    return found
