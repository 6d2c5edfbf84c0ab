"""Intervals against the tables of those who published them, and against scipy."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from app.analysis.statistics.clusters import (
    ClusterSums,
    difference_interval,
    mean_difference_interval,
    mean_interval,
    share_interval,
)
from app.analysis.statistics.intervals import (
    Interval,
    area_interval,
    median_shares,
    newcombe,
    student,
    wilson,
)


def near(interval: Interval, low: float, high: float) -> bool:
    """To the four digits that the tables have."""
    return bool(abs(interval.low - low) < 6e-5 and abs(interval.high - high) < 6e-5)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_newcombes_method_3(successes: int, trials: int, low: float, high: float) -> None:
    """Newcombe (1998), Stat. Med. 17, 857-872, table I."""
    assert near(wilson(successes, trials), low, high)
    by_scipy = stats.binomtest(successes, trials).proportion_ci(0.95, "wilson")
    assert wilson(successes, trials).high == pytest.approx(by_scipy.high)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_newcombe_is_method_10(counts: tuple[int, int, int, int], low: float, high: float) -> None:
    """Newcombe (1998), Stat. Med. 17, 873-890, table II, all eight examples."""
    assert near(newcombe(*counts), low, high)


def test_the_area_under_a_curve_is_hanley_and_mcneils() -> None:
    """Radiology 143: an area of 0.893 from 51 abnormal and 58 normal has standard error 0.032."""
    interval = area_interval(0.893, 51, 58)
    assert (interval.high - interval.low) / 2 / 1.959964 == pytest.approx(0.032, abs=6e-4)


def test_students_interval_of_a_mean_is_scipys() -> None:
    """One value a customer: nothing is clustered."""
    values = [3.0, 4.5, 1.0, 7.25, 2.0]
    expected = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    found = mean_interval(ClusterSums.of([(value, 1) for value in values]))
    assert found is not None
    assert (found.low, found.high) == pytest.approx(expected)
    assert student(0.0, 1.0, 10_000).high == pytest.approx(1.9602, abs=1e-4)


def test_welchs_interval_is_scipys() -> None:
    """Of two groups of different spread and size."""
    first, other = [3.0, 4.5, 1.0, 7.25, 2.0], [10.0, 1.0, 8.0]
    expected = stats.ttest_ind(first, other, equal_var=False).confidence_interval()
    sums = [ClusterSums.of([(value, 1) for value in values]) for values in (first, other)]
    found = mean_difference_interval(*sums)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_one_message_each_changes_nothing() -> None:
    """Then the intervals are Wilson's and Newcombe's of the plain counts."""
    first = ClusterSums.of([(1, 1)] * 56 + [(0, 1)] * 14)
    other = ClusterSums.of([(1, 1)] * 48 + [(0, 1)] * 32)
    assert first.design_effect == 1
    assert share_interval(first) == wilson(56, 70)
    assert near(difference_interval(first, other), 0.0524, 0.3339)


def test_customers_with_identical_messages_count_once() -> None:
    """Ten messages each, all or none a success: the effect is 10, as of one message each."""
    sums = ClusterSums.of([(10, 10)] * 30 + [(0, 10)] * 70)
    assert sums.design_effect == pytest.approx(10)
    found, alone = share_interval(sums), wilson(30, 100)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high))


def test_too_little_is_no_interval() -> None:
    """One customer has no spread; five values leave the median anywhere."""
    assert mean_interval(ClusterSums.of([(3, 2)])) is None
    assert ClusterSums.of([(1, 4)]).design_effect == 4
    assert median_shares(5) is None
    assert median_shares(0) is None


def test_sums_of_slices_are_the_sums() -> None:
    """Counting customers in portions changes nothing."""
    pairs = [(float(n % 3), float(n % 5)) for n in range(40)]
    joined = ClusterSums.of(pairs[:13]).joined(ClusterSums.of(pairs[13:]))
    assert joined == ClusterSums.of(pairs)


def test_clustered_intervals_cover_what_they_should() -> None:
    """Customers with their own rates and numbers of messages: 95 % of the intervals have the truth,
    of the share and of the difference; counting messages alone would miss it far more often.
    """
    rng = np.random.default_rng(5)
    runs = 1_500
    covered = naive = lifts = 0
    for _ in range(runs):
        arms = []
        for mean in (0.3, 0.2):
            m = 1 + rng.poisson(6, 150)
            x = rng.binomial(m, rng.beta(mean * 4, (1 - mean) * 4, 150))
            arms.append(ClusterSums.of(list(zip(x.astype(float), m.astype(float), strict=True))))
        found, plain = share_interval(arms[0]), wilson(arms[0].x, arms[0].m)
        lift = difference_interval(*arms)
        covered += found.low <= 0.3 <= found.high
        naive += plain.low <= 0.3 <= plain.high
        lifts += lift.low <= 0.1 <= lift.high
    slack = 3 * sqrt(0.95 * 0.05 / runs)
    assert abs(covered / runs - 0.95) < slack
    assert abs(lifts / runs - 0.95) < slack
    assert naive / runs < 0.9


def test_the_interval_of_a_median_covers_it() -> None:
    """Exponential values, whose median is log 2."""
    rng = np.random.default_rng(6)
    runs, covered = 1_500, 0
    for _ in range(runs):
        values = rng.exponential(1, 80)
        shares = median_shares(len(values))
        assert shares is not None
        low, high = np.quantile(values, [shares.low, shares.high], method="inverted_cdf")
        covered += low <= np.log(2) <= high
    assert abs(covered / runs - 0.95) < 3 * sqrt(0.95 * 0.05 / runs)


def test_a_few_dominant_customers_are_noticed() -> None:
    """A thousand with one message each and one with two hundred; not many with many each."""
    small = [(float(n % 2), 1.0) for n in range(1_000)]
    assert ClusterSums.of([*small, (100.0, 200.0)]).is_concentrated
    assert not ClusterSums.of(small).is_concentrated
    assert not ClusterSums.of([(5.0, 10.0)] * 20).is_concentrated
    assert not ClusterSums.of([]).is_concentrated
