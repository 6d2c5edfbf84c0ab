"""K-means on standardised features, with as many clusters as the silhouette finds."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from app.analysis.segments.features import NAMES, Features, Matrix
from app.analysis.segments.naming import cluster_names
from app.core.customer.scoring_model import Centroid, Clusters, Feature

_MOST_CLUSTERS: Final = 8
#: So many customers are clustered (the others then belong to the nearest centroid); the silhouette,
#: whose cost is the square, looks at so many.
_FITTED: Final = 200_000
_SILHOUETTE: Final = 5_000
_SEED: Final = 1
#: A cluster with more of the customers than this separates too few.
_ALMOST_ALL: Final = 0.95


class Portrait(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster in words and numbers: medians of the features as they are, and where its centroid
    lies in standard deviations from the mean of all.
    """

    name: str
    customers: int
    medians: dict[str, float]
    z: dict[str, float]


class ClusterFit(msgspec.Struct, frozen=True, kw_only=True):
    """``silhouettes`` has the score of each number of clusters that was tried (Rousseeuw 1987,
    "Silhouettes", J. Comput. Appl. Math. 20, 53-65). ``constant`` features are the same for all
    customers.
    """

    clusters: Clusters
    silhouettes: dict[int, float]
    portraits: list[Portrait]
    constant: list[str]


class TooFew(Exception):
    """Nothing can be fitted; the text says what is missing."""


class Standardised(NamedTuple):
    """The columns ``kept`` in standard deviations from their means."""

    kept: list[int]
    means: Matrix
    stds: Matrix
    z: Matrix


def standardise(names: Sequence[str], values: Matrix, fitted: Matrix) -> Standardised:
    """``values`` by mean and standard deviation of ``fitted``, without the columns that are the
    same for all of these. Raises TooFew for one whose deviation is beyond the range of numbers.
    """
    if not len(fitted):
        return Standardised([], np.zeros(0), np.zeros(0), values[:, []])
    with np.errstate(over="ignore", invalid="ignore"):
        kept = [n for n in range(len(names)) if fitted[:, n].std() != 0]
        means, stds = fitted[:, kept].mean(axis=0), fitted[:, kept].std(axis=0)
        z = (values[:, kept] - means) / stds
    for place, n in enumerate(kept):
        if not (np.isfinite(stds[place]) and np.isfinite(z[:, place]).all()):
            raise TooFew(
                f"{names[n]} is beyond the range of numbers: look for an impossible amount"
            )
    return Standardised(kept, means, stds, z)


def fit_clusters(features: Features) -> ClusterFit:
    """Raises TooFew."""
    values = features.values
    kept, means, stds, z = standardise(NAMES, values, values)
    distinct = len(np.unique(values[:, kept], axis=0)) if kept else 0
    if distinct < 3:
        raise TooFew(f"{len(values)} customers with a purchase, {distinct} of them different")
    best, silhouettes = _best(z, min(_MOST_CLUSTERS, distinct - 1))
    names = [NAMES[n] for n in kept]
    found = cluster_names(names, best.cluster_centers_)
    clusters = Clusters(
        features=tuple(
            Feature(name=name, mean=float(mean), std=float(std))
            for name, mean, std in zip(names, means, stds, strict=True)
        ),
        centroids=tuple(
            Centroid(name=name, at=tuple(map(float, at)))
            for name, at in zip(found, best.cluster_centers_, strict=True)
        ),
    )
    return ClusterFit(
        clusters=clusters,
        silhouettes=silhouettes,
        portraits=_portraits(clusters, values, best.predict(z)),
        constant=[name for n, name in enumerate(NAMES) if n not in kept],
    )


def _best(z: Matrix, most: int) -> tuple[KMeans, dict[int, float]]:
    """The clustering with the highest silhouette, and that of all.

    One that leaves almost all together comes last: a single odd customer is far from all
    others, so that their silhouette is high and says nothing.
    """
    rng = np.random.default_rng(_SEED)
    fitted = z if len(z) <= _FITTED else z[rng.choice(len(z), _FITTED, replace=False)]
    looked_at = rng.choice(len(fitted), min(_SILHOUETTE, len(fitted)), replace=False)
    tried: dict[tuple[bool, float], KMeans] = {}
    silhouettes = {}
    for count in range(2, most + 1):
        means = KMeans(count, n_init=5, random_state=_SEED).fit(fitted)
        labels = means.labels_[looked_at]
        if len(np.unique(labels)) < 2:
            continue
        score = float(silhouette_score(fitted[looked_at], labels))
        silhouettes[count] = score
        divides = int(np.bincount(means.labels_).max()) <= _ALMOST_ALL * len(fitted)
        tried.setdefault((divides, score), means)
    return tried[max(tried)], silhouettes


def _portraits(clusters: Clusters, values: Matrix, labels: Matrix) -> list[Portrait]:
    """The largest cluster first."""
    members = [values[labels == place] for place in range(len(clusters.centroids))]
    portraits = [
        Portrait(
            name=centroid.name,
            customers=len(own),
            medians={
                name: float(np.median(own[:, n])) if len(own) else 0.0
                for n, name in enumerate(NAMES)
            },
            z={
                feature.name: at for feature, at in zip(clusters.features, centroid.at, strict=True)
            },
        )
        for centroid, own in zip(clusters.centroids, members, strict=True)
    ]
    return sorted(portraits, key=lambda portrait: -portrait.customers)
