"""Gauges whose values are looked up at each scrape, and cost nothing in between."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.live.telemetry import specs


class PartitionFigures(NamedTuple):
    """How a partition stands that this worker works on."""

    partition: int
    customers: int
    timers_pending: int
    state_bytes: int
    #: None in a rehearsal that has read nothing yet
    watermark_age_s: float | None
    #: logical topic -> records on the broker that are not handled; without topics not known yet
    lag_records: dict[str, int]
    #: whether marketing steps may be decided
    is_current: bool = True


class RecoveryFigures(NamedTuple):
    """How the rebuilding of state from the changelog stands."""

    #: how long it has been going on; 0 when it is not
    running_s: float
    #: how long the last one took that came to its end; 0 before the first
    last_s: float
    #: changelog records still to be read
    remaining_records: int


class GaugeSources(NamedTuple):
    """Callbacks that supply gauge values at scrape time."""

    #: what ``/ready`` says
    is_ready: Callable[[], bool]
    recovery: Callable[[], RecoveryFigures]
    #: every partition that is worked on
    partitions: Callable[[], Iterable[PartitionFigures]]
    #: records fetched and not handled
    buffered_records: Callable[[], int]


class LiveGauges(Collector):
    """Collects gauge values from the worker and the file system at each scrape.

    Called by the Prometheus client, on the thread that renders the metrics.
    """

    def __init__(
        self,
        sources: GaugeSources,
        data_dir: Path,
        disk_usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage,
    ) -> None:
        self._sources = sources
        self._data_dir = data_dir
        self._disk_usage = disk_usage

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Yield nothing, so that registering it calls no source of a worker that is being built."""
        return ()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        sources = self._sources
        yield specs.READY.sample(sources.is_ready())
        running_s, last_s, remaining = sources.recovery()
        yield specs.RECOVERY.sample(running_s)
        yield specs.LAST_RECOVERY.sample(last_s)
        yield specs.RECOVERY_REMAINING.sample(remaining)
        yield specs.BUFFERED.sample(sources.buffered_records())
        yield from self._of_partitions()
        yield from self._of_disk()

    def _of_partitions(self) -> Iterable[GaugeMetricFamily]:
        customers, pending = specs.CUSTOMERS.family(), specs.TIMERS_PENDING.family()
        state, age = specs.STATE_BYTES.family(), specs.WATERMARK_AGE.family()
        current, lag = specs.CURRENT.family(), specs.CONSUMER_LAG.family()
        for figures in self._sources.partitions():
            label = str(figures.partition)
            customers.add_metric([label], figures.customers)
            pending.add_metric([label], figures.timers_pending)
            state.add_metric([label], figures.state_bytes)
            current.add_metric([label], int(figures.is_current))
            if figures.watermark_age_s is not None:
                age.add_metric([label], figures.watermark_age_s)
            for topic, records in figures.lag_records.items():
                lag.add_metric([topic, label], records)
        yield from (customers, pending, state, current, age, lag)

    def _of_disk(self) -> Iterable[GaugeMetricFamily]:
        """Yield nothing while the folder cannot be read: a missing figure is no zero."""
        try:
            total, _, free = self._disk_usage(self._data_dir)
        except OSError:
            return
        yield specs.DISK_SIZE.sample(total)
        yield specs.DISK_FREE.sample(free)
