"""How many customers an experiment needs, and what so many can show.

Fleiss, Levin, Paik (2003), Statistical Methods for Rates and Proportions, 3rd ed., section 4.2:
the two-sided z-test of two shares with equal groups, without continuity correction. ``lift`` is
relative: 0.15 turns a share of 0.10 into 0.115.
"""

from math import ceil, sqrt
from typing import Final

from scipy import special

#: False winners that are accepted, over all comparisons of an experiment.
ALPHA: Final = 0.05
#: The chance to find a true lift for which samples are planned.
POWER: Final = 0.8


def planned_sample(base: float, lift: float, *, comparisons: int = 1, power: float = POWER) -> int:
    """Customers per variant that find the lift with that power.

    ``comparisons`` is how many variants are held against the first: the level is shared among them
    (Bonferroni), which is what Holm's correction asks of the smallest p-value.
    """
    other = _lifted(base, lift)
    z_alpha, z_beta = _z_alpha(comparisons), float(special.ndtri(power))
    mean = (base + other) / 2
    root = z_alpha * sqrt(2 * mean * (1 - mean)) + z_beta * sqrt(
        base * (1 - base) + other * (1 - other)
    )
    return ceil((root / (other - base)) ** 2)


def power_of(sample: int, base: float, lift: float, *, comparisons: int = 1) -> float:
    """The chance that so many customers per variant find the lift."""
    other = _lifted(base, lift)
    mean = (base + other) / 2
    reach = abs(other - base) * sqrt(sample) - _z_alpha(comparisons) * sqrt(2 * mean * (1 - mean))
    return float(special.ndtr(reach / sqrt(base * (1 - base) + other * (1 - other))))


def _z_alpha(comparisons: int) -> float:
    return float(special.ndtri(1 - ALPHA / comparisons / 2))


def _lifted(base: float, lift: float) -> float:
    other = base * (1 + lift)
    if not (0 < base < 1 and 0 < other < 1 and lift != 0):
        raise ValueError(f"no share of {base} can be lifted by {lift}")
    return other
