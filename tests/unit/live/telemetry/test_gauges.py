"""What is looked up at a scrape, over a worker made of plain values."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from app.live.telemetry.gauges import GaugeSources, LiveGauges, PartitionFigures, RecoveryFigures

FIGURES = PartitionFigures(
    partition=3,
    customers=7,
    timers_pending=9,
    state_bytes=4096,
    watermark_age_s=5.25,
    lag_records={"orders": 12},
)

NO_RECOVERY = RecoveryFigures(0.0, 0.0, 0)


def registry_of(
    *figures: PartitionFigures,
    ready: bool = True,
    recovery: RecoveryFigures = NO_RECOVERY,
    disk: tuple[int, int, int] | None = (100, 60, 40),
) -> CollectorRegistry:
    def disk_usage(_: Path) -> tuple[int, int, int]:
        if disk is None:
            raise FileNotFoundError
        return disk

    registry = CollectorRegistry()
    ask = GaugeSources(lambda: ready, lambda: recovery, lambda: figures, lambda: 5)
    registry.register(LiveGauges(ask, Path("data"), disk_usage))
    return registry


def test_every_partition_has_its_figures() -> None:
    """Given one partition: its gauges carry its number, the lag its topic as well."""
    registry = registry_of(FIGURES)
    assert registry.get_sample_value("trigger_customers", {"partition": "3"}) == 7
    assert registry.get_sample_value("trigger_timers_pending", {"partition": "3"}) == 9
    assert registry.get_sample_value("trigger_state_bytes", {"partition": "3"}) == 4096
    assert registry.get_sample_value("trigger_watermark_age_seconds", {"partition": "3"}) == 5.25
    lag = {"topic": "orders", "partition": "3"}
    assert registry.get_sample_value("trigger_consumer_lag_records", lag) == 12
    assert registry.get_sample_value("trigger_buffered_records") == 5


def test_what_is_not_known_is_missing_and_not_zero() -> None:
    """No age without a watermark, no lag without an answer, no disk without its folder."""
    registry = registry_of(FIGURES._replace(watermark_age_s=None, lag_records={}), disk=None)
    names = {sample.name for family in registry.collect() for sample in family.samples}
    assert "trigger_customers" in names
    assert not names & {
        "trigger_watermark_age_seconds",
        "trigger_consumer_lag_records",
        "trigger_disk_size_bytes",
        "trigger_disk_free_bytes",
    }


@pytest.mark.parametrize("ready", [True, False])
def test_readiness_recovery_and_disk(ready: bool) -> None:
    """They are there without any partition: when an alert needs them most."""
    registry = registry_of(ready=ready, recovery=RecoveryFigures(12.5, 3.0, 800))
    assert registry.get_sample_value("trigger_ready") == ready
    assert registry.get_sample_value("trigger_recovery_seconds") == 12.5
    assert registry.get_sample_value("trigger_last_recovery_seconds") == 3.0
    assert registry.get_sample_value("trigger_recovery_remaining_records") == 800
    assert registry.get_sample_value("trigger_disk_size_bytes") == 100
    assert registry.get_sample_value("trigger_disk_free_bytes") == 40
