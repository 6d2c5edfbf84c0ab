"""Tests and sample sizes against worked examples and scipy."""

import numpy as np
import pytest
from scipy import stats

from app.analysis.statistics.power import planned_sample, power_of
from app.analysis.statistics.significance import holm, split_p_value, two_shares


def test_fishers_lady_tasting_tea() -> None:
    """Fisher (1935), The Design of Experiments: three of four cups right, and all four."""
    assert two_shares(3, 4, 1, 4) == pytest.approx(34 / 70)
    assert two_shares(4, 4, 0, 4) == pytest.approx(2 / 70)


def test_the_exact_test_takes_over_under_five_expected() -> None:
    """5 expected in the smallest cell is the z-test, a little less is not."""
    exact = stats.fisher_exact([[8, 42], [1, 49]]).pvalue
    assert two_shares(8, 50, 1, 50) == pytest.approx(exact)
    z = 2 * stats.norm.sf(abs((9 / 50 - 1 / 50) / np.sqrt(0.1 * 0.9 * 2 / 50)))
    assert two_shares(9, 50, 1, 50) == pytest.approx(z)


def test_the_z_test_is_pearsons_chi_square() -> None:
    """Without continuity correction the two are one."""
    by_scipy = stats.chi2_contingency([[120, 880], [160, 840]], correction=False).pvalue
    assert two_shares(120, 1000, 160, 1000) == pytest.approx(by_scipy)


def test_holms_procedure() -> None:
    """p = .01, .04, .03, .005: at level .05 the fourth and first are rejected, the others not."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_the_split_is_pearsons_chi_square() -> None:
    """Mendel's peas: 315, 101, 108 and 32 against 9:3:3:1."""
    counts, shares = [315, 101, 108, 32], [9 / 16, 3 / 16, 3 / 16, 1 / 16]
    by_scipy = stats.chisquare(counts, np.array(shares) * sum(counts)).pvalue
    assert split_p_value(counts, shares) == pytest.approx(by_scipy)
    assert split_p_value([0, 0], [0.5, 0.5]) == 1


def test_planned_samples_are_those_of_the_textbook() -> None:
    """Fleiss, Levin, Paik (2003), formula 4.14: 0.5 against 0.6 needs 388, 0.1 against 0.2 199."""
    assert planned_sample(0.5, 0.2) == 388
    assert planned_sample(0.1, 1.0) == 199
    assert planned_sample(0.1, 1.0, comparisons=3) > 199


@pytest.mark.parametrize(("base", "lift"), [(0.1, 0.15), (0.3, -0.1), (0.02, 0.5)])
def test_the_planned_sample_has_the_planned_power(base: float, lift: float) -> None:
    """And one customer fewer has not."""
    sample = planned_sample(base, lift)
    assert power_of(sample, base, lift) >= 0.8
    assert power_of(sample - 1, base, lift) < 0.8


def test_a_lift_that_cannot_be() -> None:
    """Over everybody, or of nothing."""
    for base, lift in ((0.9, 0.2), (0.0, 0.1), (0.5, 0.0)):
        with pytest.raises(ValueError, match="lifted"):
            planned_sample(base, lift)
