"""How much a run tries: which tests it selects, and how many examples a property gets.

Without ``-m`` a run leaves out what is marked ``slow``; ``soak`` has to be named in ``-m``, even
where a path is given. Property tests try few examples unless ``--hypothesis-profile=ci`` asks for
all. Both try the same ones each time, so that a failure belongs to the change that is tested;
``--hypothesis-profile=explore`` tries as many as ci, and others each time.
"""

from typing import Final

from hypothesis import HealthCheck, settings

SLOW: Final = "slow"
SOAK: Final = "soak"
_DEV: Final = "dev"
_CI: Final = "ci"
_EXPLORE: Final = "explore"
#: The dev profile tries this part of a property's examples, and _LEAST_EXAMPLES at least.
_DEV_PART: Final = 5
_LEAST_EXAMPLES: Final = 15


def register_profiles() -> None:
    """Declare the Hypothesis profiles and select ``dev``; ``--hypothesis-profile`` comes later.

    None has a deadline: a busy machine is no failure.
    """
    common = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile(_DEV, common, max_examples=_LEAST_EXAMPLES, derandomize=True)
    settings.register_profile(_CI, common, max_examples=200, derandomize=True)
    settings.register_profile(_EXPLORE, common, max_examples=200)
    settings.load_profile(_DEV)


def examples(whole: int) -> settings:
    """The number of examples of one property: ``whole`` in ci and explore, a part of it in dev."""
    if settings.get_current_profile_name() == _DEV:
        return settings(max_examples=max(_LEAST_EXAMPLES, whole // _DEV_PART))
    return settings(max_examples=whole)


def selection(asked: str) -> str:
    """The mark expression of a run whose ``-m`` is ``asked`` (empty without one)."""
    if not asked:
        return f"not {SLOW} and not {SOAK}"
    return asked if SOAK in asked else f"({asked}) and not {SOAK}"
