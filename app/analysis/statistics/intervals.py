"""95 % intervals of shares, differences of shares, means and medians.

Counts may be fractional: ``clusters`` scales them down when customers count more than once.
"""

from math import hypot, sqrt
from typing import Final

import msgspec
from scipy import special

#: Two-sided level of every interval.
CONFIDENCE: Final = 0.95
#: The 0.975 quantile of the normal distribution.
Z: Final = float(special.ndtri((1 + CONFIDENCE) / 2))


class Interval(msgspec.Struct, frozen=True):
    """From ``low`` to ``high``, both included."""

    low: float
    high: float


def wilson(successes: float, trials: float) -> Interval:
    """Of a share, ``trials`` > 0.

    Wilson (1927), "Probable inference, the law of succession, and statistical inference"; the score
    method without continuity correction, method 3 of Newcombe (1998), Stat. Med. 17, 857-872.
    """
    share = successes / trials
    middle = share + Z * Z / (2 * trials)
    spread = Z * sqrt(share * (1 - share) / trials + Z * Z / (4 * trials * trials))
    scale = 1 + Z * Z / trials
    low = 0.0 if successes <= 0 else (middle - spread) / scale
    high = 1.0 if successes >= trials else (middle + spread) / scale
    return Interval(low, high)


def newcombe(successes: float, trials: float, others: float, other_trials: float) -> Interval:
    """Of the difference of two independent shares, the first minus the other.

    The hybrid score interval without continuity correction, method 10 of Newcombe (1998),
    "Interval estimation for the difference between independent proportions", Stat. Med. 17,
    873-890.
    """
    return difference_of_intervals(
        successes / trials,
        wilson(successes, trials),
        others / other_trials,
        wilson(others, other_trials),
    )


def difference_of_intervals(
    first: float, of_first: Interval, other: float, of_other: Interval
) -> Interval:
    """Of the difference of two independent estimates, the first minus the other, from the 95 %
    interval of each.

    Zou and Donner (2008), "Construction of confidence limits about effect measures: a general
    approach", Stat. Med. 27, 1693-1702 (MOVER); for two shares it is Newcombe's interval.
    """
    difference = first - other
    return Interval(
        difference - hypot(first - of_first.low, of_other.high - other),
        difference + hypot(of_first.high - first, other - of_other.low),
    )


def student(value: float, standard_error: float, degrees: float) -> Interval:
    """Of a mean or a ratio with that standard error: value -+ t * standard error (Student 1908)."""
    reach = float(special.stdtrit(degrees, (1 + CONFIDENCE) / 2)) * standard_error
    return Interval(value - reach, value + reach)


def median_shares(count: float) -> Interval | None:
    """The quantiles between which the median of the population lies; None with too few values.

    Woodruff (1952), "Confidence intervals for medians and other position measures", J. Am. Stat.
    Assoc. 47, 635-646: the interval of the share 0.5, here Wilson's, read off the distribution.
    ``count`` is how many independent values there are, effectively.
    """
    shares = wilson(count / 2, count) if count > 0 else None
    return shares if shares is not None and shares.low * count >= 1 else None


def area_interval(area: float, positives: int, negatives: int) -> Interval:
    """Of the area under a ROC curve.

    Hanley and McNeil (1982), "The meaning and use of the area under a receiver operating
    characteristic (ROC) curve", Radiology 143, 29-36.
    """
    first, second = area / (2 - area), 2 * area * area / (1 + area)
    variance = (
        area * (1 - area)
        + (positives - 1) * (first - area * area)
        + (negatives - 1) * (second - area * area)
    ) / (positives * negatives)
    reach = Z * sqrt(max(variance, 0.0))
    return Interval(max(area - reach, 0.0), min(area + reach, 1.0))
