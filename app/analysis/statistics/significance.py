"""Tests of what may be chance: two shares, several comparisons at once, the split itself."""

from collections.abc import Sequence
from math import sqrt
from typing import Final

from scipy import special, stats

#: With fewer expected in any cell the normal approximation is left for the exact test.
MIN_EXPECTED: Final = 5


def two_shares(successes: int, trials: int, others: int, other_trials: int) -> float:
    """Two-sided p-value that two shares are the same.

    The z-test with the pooled share (Fleiss, Levin, Paik 2003, Statistical Methods for Rates and
    Proportions, 3rd ed., section 3.3, without continuity correction); with under 5 expected in a
    cell of the two by two table Fisher's exact test (Fisher 1935, The Design of Experiments).
    """
    pooled = (successes + others) / (trials + other_trials)
    smaller = min(trials, other_trials)
    if min(pooled, 1 - pooled) * smaller < MIN_EXPECTED:
        table = [[successes, trials - successes], [others, other_trials - others]]
        return float(stats.fisher_exact(table).pvalue)
    error = sqrt(pooled * (1 - pooled) * (1 / trials + 1 / other_trials))
    z = (successes / trials - others / other_trials) / error
    return float(2 * special.ndtr(-abs(z)))


def holm(p_values: Sequence[float]) -> list[float]:
    """The same p-values corrected for being several, in the same order.

    Holm (1979), "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 6,
    65-70.
    """
    ranked = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(ranked):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def split_p_value(counts: Sequence[int], shares: Sequence[float]) -> float:
    """P-value that ``counts`` were drawn with those ``shares`` (> 0, of sum 1).

    Pearson's chi-square (1900) with one degree of freedom less than there are counts; 1 for
    none, or a single count.
    """
    total = sum(counts)
    if total == 0 or len(counts) == 1:
        return 1.0
    statistic = sum(
        (count - total * share) ** 2 / (total * share)
        for count, share in zip(counts, shares, strict=True)
    )
    return float(special.chdtrc(len(counts) - 1, statistic))
