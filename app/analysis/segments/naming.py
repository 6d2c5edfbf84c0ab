"""Names for clusters: what is most unusual about their centroid, in words."""

from collections.abc import Sequence
from typing import Final

from app.analysis.segments.features import Matrix

#: feature -> (word for little, word for much)
_WORDS: Final = {
    "recency_days": ("recent", "lapsed"),
    "frequency": ("infrequent", "frequent"),
    "monetary": ("low_spend", "high_spend"),
    "views_30d": ("not_browsing", "browsing"),
    "discount_share": ("full_price", "bargain"),
}
#: Nearer to the mean of all than this, in standard deviations, is not unusual.
_UNUSUAL: Final = 0.3
#: Farther than this is far.
_EXTREME: Final = 4
_AVERAGE: Final = "average"


def cluster_names(features: Sequence[str], centroids: Matrix) -> list[str]:
    """One for each centroid (its place in standard deviations), no two the same.

    The words of the one or two most unusual features; more of them, and at last a number, where
    two clusters would have the same name.
    """
    for words in range(2, len(features) + 1):
        names = [_name(features, centroid, words) for centroid in centroids]
        if len(set(names)) == len(names):
            return names
    names = [_name(features, centroid, len(features)) for centroid in centroids]
    return [
        name if names.count(name) == 1 else f"{name}_{names[: place + 1].count(name)}"
        for place, name in enumerate(names)
    ]


def _name(features: Sequence[str], centroid: Sequence[float], words: int) -> str:
    ranked = sorted(zip(features, centroid, strict=True), key=lambda place: -abs(place[1]))
    unusual = [(name, z) for name, z in ranked[:words] if abs(z) >= _UNUSUAL]
    return "_".join(_word(name, z) for name, z in unusual) or _AVERAGE


def _word(feature: str, z: float) -> str:
    word = _WORDS[feature][int(z > 0)]
    return f"very_{word}" if abs(z) >= _EXTREME else word
