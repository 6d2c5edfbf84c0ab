"""The customer model: clusters, and how likely somebody becomes a customer of high value.

A model is one JSON object, made by ``triggers segments fit``:

    {"version": 1,
     "clusters": {
       "features": [{"name": "recency_days", "mean": 41.5, "std": 30.1}, ...],
       "centroids": [{"name": "champions", "at": [-1.2, ...]}, ...]},
     "high_value": {
       "features": [{"name": "monetary", "mean": 80, "std": 55.5, "coefficient": 1.3}, ...],
       "intercept": -0.4}}

Either part may be missing. Features are standardised, z = (x - mean) / std. ``customer.cluster``
is the name of the centroid nearest to z (Euclidean; the first of equals), and
``customer.high_value_p`` is 1 / (1 + exp(-(intercept + sum of coefficient * z))). Both are worked
out from the record when a condition asks, so that they follow every event. A feature that is not
known of a customer (recency without a purchase) leaves both missing.
"""

from collections.abc import Callable
from math import exp
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from app.core.customer.facts import bookings, discount_share, orders, recency_days, spend, views_30d
from app.core.customer.record import Customer

#: name -> value of a feature, None when it is not known
FEATURES: Final[dict[str, Callable[[Customer, int], float | None]]] = {
    "recency_days": recency_days,
    "frequency": lambda customer, now_ms: orders(customer) + bookings(customer),
    "monetary": lambda customer, now_ms: spend(customer),
    "views_30d": views_30d,
    "discount_share": lambda customer, now_ms: discount_share(customer),
}
#: ``customer.NAME`` that a model gives
MODEL_FACTS: Final = frozenset({"cluster", "high_value_p"})
#: What conditions see without a model.
NO_MODEL: Final[dict[str, Callable[[Customer, int], object]]] = {
    name: lambda customer, now_ms: None for name in MODEL_FACTS
}

Name = Annotated[str, Meta(min_length=1, max_length=64)]
#: exp of more than this is infinite
_MAX_EXPONENT: Final = 700.0


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One standardised feature."""

    name: Name
    mean: float
    std: Annotated[float, Meta(gt=0)]

    def z(self, customer: Customer, now_ms: int) -> float | None:
        """How many standard deviations over the mean the customer is."""
        value = FEATURES[self.name](customer, now_ms)
        return None if value is None else (value - self.mean) / self.std


class Weighted(Feature, frozen=True, forbid_unknown_fields=True):
    """A feature of the logistic regression."""

    coefficient: float


class Centroid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The middle of a cluster, in the order of the features."""

    name: Name
    at: tuple[float, ...]


class Clusters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """K-means: whoever is nearest to a centroid belongs to it."""

    features: Annotated[tuple[Feature, ...], Meta(min_length=1)]
    centroids: Annotated[tuple[Centroid, ...], Meta(min_length=1)]

    def cluster(self, customer: Customer, now_ms: int) -> str | None:
        """The name of the nearest centroid."""
        zs: list[float] = []
        for feature in self.features:
            z = feature.z(customer, now_ms)
            if z is None:
                return None
            zs.append(z)
        return min(
            self.centroids,
            key=lambda centroid: sum(
                (z - c) * (z - c) for z, c in zip(zs, centroid.at, strict=True)
            ),
        ).name


class HighValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Logistic regression."""

    features: Annotated[tuple[Weighted, ...], Meta(min_length=1)]
    intercept: float

    def probability(self, customer: Customer, now_ms: int) -> float | None:
        """In 0..1."""
        score = self.intercept
        for feature in self.features:
            z = feature.z(customer, now_ms)
            if z is None:
                return None
            score += feature.coefficient * z
        return 1 / (1 + exp(min(-score, _MAX_EXPONENT)))


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model that has been found sound."""

    version: Annotated[int, Meta(ge=1, le=1)]
    clusters: Clusters | None = None
    high_value: HighValue | None = None

    @property
    def cluster_of(self) -> Callable[[Customer, int], str | None] | None:
        """The name of a customer's cluster; None when the model has none."""
        return None if self.clusters is None else self.clusters.cluster

    @property
    def facts(self) -> dict[str, Callable[[Customer, int], object]]:
        """What it adds to ``customer.*``."""
        found: dict[str, Callable[[Customer, int], object]] = {}
        if self.clusters is not None:
            found["cluster"] = self.clusters.cluster
        if self.high_value is not None:
            found["high_value_p"] = self.high_value.probability
        return found


def parse_model(raw: bytes) -> Model:
    """The model in a file's bytes. Raises ValueError, which says what is wrong and where."""
    try:
        model = msgspec.json.decode(raw, type=Model)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise ValueError(str(exc)) from None
    parts = [part for part in (model.clusters, model.high_value) if part is not None]
    for part in parts:
        for feature in part.features:
            if feature.name not in FEATURES:
                expected = ", ".join(FEATURES)
                raise ValueError(f"no feature is called {feature.name!r}: there are {expected}")
    if model.clusters is not None:
        count = len(model.clusters.features)
        for centroid in model.clusters.centroids:
            if len(centroid.at) != count:
                raise ValueError(f"centroid {centroid.name!r} needs {count} coordinates")
    return model
