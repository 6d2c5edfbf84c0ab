"""A histogram that takes a whole batch of observations at once."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class BatchHistogram(Collector):
    """Like prometheus-client's, at a tenth of its price per observation. One thread writes."""

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str], bounds: Sequence[float]
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._bounds = tuple(bounds)
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}

    def begin(self, labels: tuple[str, ...]) -> None:
        """Stand at 0 for these labels until something is observed."""
        if labels not in self._counts:
            self._counts[labels] = [0] * (len(self._bounds) + 1)
            self._sums[labels] = 0.0

    def observe(self, labels: tuple[str, ...], values: Iterable[float], scale: float = 1.0) -> None:
        """Count each value divided by ``scale``."""
        ordered = sorted(values)
        counts = self._counts.get(labels)
        if counts is None:
            counts = self._counts[labels] = [0] * (len(self._bounds) + 1)
        before = 0
        for bucket, bound in enumerate(self._bounds):
            up_to = bisect_right(ordered, bound * scale)
            counts[bucket] += up_to - before
            before = up_to
        counts[-1] += len(ordered) - before
        self._sums[labels] = self._sums.get(labels, 0.0) + sum(ordered) / scale

    def collect(self) -> Iterable[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, counts in list(self._counts.items()):
            names = [*(repr(float(bound)) for bound in self._bounds), "+Inf"]
            buckets = list(zip(names, map(float, accumulate(counts)), strict=True))
            family.add_metric(labels, buckets, sum_value=self._sums[labels])
        yield family
