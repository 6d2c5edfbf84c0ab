"""What is looked up when Prometheus asks, and costs nothing before that."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_PER_PARTITION: Final = (
    ("trigger_customers", "Customers with a record."),
    ("trigger_timers_pending", "Steps that wait for their time."),
    ("trigger_state_bytes", "Files of a partition's database, its newest writes not counted."),
)


class PartitionFigures(NamedTuple):
    """How a partition stands that this worker works on."""

    partition: int
    customers: int
    timers_pending: int
    state_bytes: int
    #: None in a rehearsal that has read nothing yet
    watermark_age_s: float | None
    #: logical topic -> records on the broker that are not handled; topics not heard of are missing
    lag_records: dict[str, int]


class RecoveryFigures(NamedTuple):
    """How the rebuilding of state from the changelog stands."""

    #: how long it has been going on; 0 when it is not
    running_s: float
    #: how long the last one took that came to its end; 0 before the first
    last_s: float
    #: changelog records still to be read
    remaining_records: int


class GaugeSources(NamedTuple):
    """Whom to ask about a worker."""

    #: what ``/ready`` says
    is_ready: Callable[[], bool]
    recovery: Callable[[], RecoveryFigures]
    #: every partition that is worked on
    partitions: Callable[[], Iterable[PartitionFigures]]
    #: records fetched and not handled
    buffered_records: Callable[[], int]


class LiveGauges(Collector):
    """Asks the worker and the file system at each scrape, on the thread that renders."""

    def __init__(
        self,
        ask: GaugeSources,
        data_dir: Path,
        disk_usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage,
    ) -> None:
        self._ask = ask
        self._data_dir = data_dir
        self._disk_usage = disk_usage

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: so that registering it asks nothing of a worker that is being built."""
        return ()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        ask = self._ask
        yield _gauge("trigger_ready", "1 while the worker is ready.", ask.is_ready())
        running_s, last_s, remaining = ask.recovery()
        yield _gauge(
            "trigger_recovery_seconds",
            "How long state is being rebuilt from the changelog, 0 when it is not.",
            running_s,
        )
        yield _gauge(
            "trigger_last_recovery_seconds",
            "How long the last finished rebuilding of state took.",
            last_s,
        )
        yield _gauge(
            "trigger_recovery_remaining_records",
            "Changelog records that the rebuilding of state has to read yet.",
            remaining,
        )
        yield _gauge(
            "trigger_buffered_records",
            "Records fetched and not handled.",
            ask.buffered_records(),
        )
        yield from self._of_partitions()
        yield from self._of_disk()

    def _of_partitions(self) -> Iterable[GaugeMetricFamily]:
        customers, pending, state = families = [
            GaugeMetricFamily(name, help, labels=["partition"]) for name, help in _PER_PARTITION
        ]
        age = GaugeMetricFamily(
            "trigger_watermark_age_seconds",
            "Now minus the watermark; while there is none, since the partition was assigned.",
            labels=["partition"],
        )
        lag = GaugeMetricFamily(
            "trigger_consumer_lag_records",
            "Records on the broker that are not handled, by its last answer.",
            labels=["topic", "partition"],
        )
        for figures in self._ask.partitions():
            label = str(figures.partition)
            customers.add_metric([label], figures.customers)
            pending.add_metric([label], figures.timers_pending)
            state.add_metric([label], figures.state_bytes)
            if figures.watermark_age_s is not None:
                age.add_metric([label], figures.watermark_age_s)
            for topic, records in figures.lag_records.items():
                lag.add_metric([topic, label], records)
        yield from (*families, age, lag)

    def _of_disk(self) -> Iterable[GaugeMetricFamily]:
        """Nothing while the folder cannot be asked about: a missing figure is no zero."""
        try:
            total, _, free = self._disk_usage(self._data_dir)
        except OSError:
            return
        yield _gauge("trigger_disk_size_bytes", "Size of the volume that the state is on.", total)
        yield _gauge(
            "trigger_disk_free_bytes", "What is free on the volume that the state is on.", free
        )


def _gauge(name: str, help: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help, value=value)
