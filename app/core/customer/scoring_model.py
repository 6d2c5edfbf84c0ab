"""The customer model: clusters, probabilities and predictions that conditions can ask for.

A model is one JSON object, made by ``triggers segments fit``:

    {"version": 1,
     "clusters": {
       "features": [{"name": "recency_days", "mean": 41.5, "std": 30.1}, ...],
       "centroids": [{"name": "champions", "at": [-1.2, ...]}, ...]},
     "high_value": {
       "features": [{"name": "monetary", "mean": 80, "std": 55.5, "coefficient": 1.3}, ...],
       "intercept": -0.4},
     "churn": {"features": [...], "intercept": 0.7, "horizon_days": 90},
     "best_channel": {"open_rates": {"email": 0.21, "push": 0.34}, "weight": 5},
     "next_product": {"fact": "last_product", "after": {"shoe-1": "sock-2"}, "otherwise": "hat-7"}}

Any part may be missing. Features are standardised, z = (x - mean) / std. ``customer.cluster`` is
the name of the centroid nearest to z (Euclidean; the first of equals). ``customer.high_value_p``
and ``customer.churn_p`` (no purchase in the next ``horizon_days``) are
1 / (1 + exp(-(intercept + sum of coefficient * z))). ``customer.best_channel`` is the channel with
the highest (opened + weight * open rate) / (sent + weight) over the marketing sends that the record
remembers (the first of equals by name), among the channels that the rules have; without any of
them there is no such prediction. ``customer.next_product`` is what is bought ``after`` the
product that the fact named holds, ``otherwise`` for one that is not listed. All are worked out from
the record when a condition asks, so that they follow every event. What needs a value that is not
known of a customer (recency without a purchase, the fact) is missing.
"""

from collections.abc import Callable, Collection, Mapping
from math import exp
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from app.core.customer.features import FEATURES
from app.core.customer.record import Customer

#: ``customer.NAME`` that a model gives
MODEL_FACTS: Final = frozenset(
    {"cluster", "high_value_p", "churn_p", "best_channel", "next_product"}
)
#: What conditions see without a model.
NO_MODEL: Final[dict[str, Callable[[Customer, int], object]]] = {
    name: lambda customer, now_ms: None for name in MODEL_FACTS
}
#: A model file may be so large at most.
MAX_MODEL_BYTES: Final = 4 * 1024 * 1024

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
    """K-means: a customer belongs to the nearest centroid."""

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


class Logistic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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


class Churn(Logistic, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How likely there is no purchase in the next ``horizon_days``."""

    horizon_days: Annotated[int, Meta(ge=1)]


class BestChannel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A customer's open rate by channel, drawn towards that of all: ``weight`` counts as so many
    messages.
    """

    open_rates: Annotated[dict[Name, Annotated[float, Meta(ge=0, le=1)]], Meta(min_length=1)]
    weight: Annotated[float, Meta(gt=0)]

    def among(self, channels: Collection[str]) -> "BestChannel | None":
        """The same for these channels alone; None when it knows none of them."""
        rates = {name: rate for name, rate in self.open_rates.items() if name in channels}
        return BestChannel(open_rates=rates, weight=self.weight) if rates else None

    def channel(self, customer: Customer, now_ms: int) -> str:
        """The channel on which the customer most readily opens."""
        sent: dict[str, int] = {}
        opened: dict[str, int] = {}
        for each in customer.sends:
            if each.is_marketing and not each.is_ghost:
                sent[each.channel] = sent.get(each.channel, 0) + 1
                opened[each.channel] = opened.get(each.channel, 0) + each.is_opened
        return self.best(sent, opened)

    def best(self, sent: Mapping[str, int], opened: Mapping[str, int]) -> str:
        """The best by counts of messages and of those that were opened."""
        weight = self.weight
        return max(
            sorted(self.open_rates),
            key=lambda name: (
                (opened.get(name, 0) + weight * self.open_rates[name])
                / (sent.get(name, 0) + weight)
            ),
        )


class NextProduct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is bought after a product; ``fact`` holds the customer's last one."""

    fact: Name
    after: dict[str, str]
    otherwise: str

    def product(self, last: object) -> str | None:
        """None when nothing is known of the last product."""
        return self.after.get(last, self.otherwise) if isinstance(last, str) else None


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model that has been found sound."""

    version: Annotated[int, Meta(ge=1, le=1)]
    clusters: Clusters | None = None
    high_value: Logistic | None = None
    churn: Churn | None = None
    best_channel: BestChannel | None = None
    next_product: NextProduct | None = None

    @property
    def cluster_of(self) -> Callable[[Customer, int], str | None] | None:
        """The name of a customer's cluster; None when the model has none."""
        return None if self.clusters is None else self.clusters.cluster

    @property
    def cluster_names(self) -> frozenset[str]:
        """The names that a customer's cluster can have."""
        centroids = () if self.clusters is None else self.clusters.centroids
        return frozenset(centroid.name for centroid in centroids)

    def facts(
        self,
        known: Mapping[str, Callable[[Customer, int], Any]] | None = None,
        channels: Collection[str] | None = None,
    ) -> dict[str, Callable[[Customer, int], object]]:
        """What it adds to ``customer.*``. ``known`` are the facts of the rules: without the one
        that the next product goes by there is no such prediction. The best channel is one of
        ``channels``, those of the rules (None: any that the model knows).
        """
        found: dict[str, Callable[[Customer, int], object]] = {}
        if self.clusters is not None:
            found["cluster"] = self.clusters.cluster
        if self.high_value is not None:
            found["high_value_p"] = self.high_value.probability
        if self.churn is not None:
            found["churn_p"] = self.churn.probability
        best = self.best_channel
        if best is not None and channels is not None:
            best = best.among(channels)
        if best is not None:
            found["best_channel"] = best.channel
        following = self.next_product
        last = None if following is None else (known or {}).get(following.fact)
        if following is not None and last is not None:
            product = following.product
            found["next_product"] = lambda customer, now_ms: product(last(customer, now_ms))
        return found


def parse_model(raw: bytes) -> Model:
    """The model in a file's bytes. Raises ValueError, which says what is wrong and where."""
    try:
        model = msgspec.json.decode(raw, type=Model)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise ValueError(str(exc)) from None
    parts = [part for part in (model.clusters, model.high_value, model.churn) if part is not None]
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
