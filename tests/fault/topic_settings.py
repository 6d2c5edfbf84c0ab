"""Settings of a topic on Apache Kafka, changed while it is there."""

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its re-exports are implicit
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from app.kafka import Admin
from app.settings import Settings


def configure(settings: Settings, topic: str, values: dict[str, str]) -> None:
    """Give a topic these settings."""
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in values.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    for done in Admin(settings).incremental_alter_configs([resource]).values():
        done.result(10)


def keep_all_profiles(settings: Settings) -> None:
    """A history under old timestamps would be compacted while it is read, and profile updates lost
    with it.
    """
    never = str(2**62)
    lags = {"max.compaction.lag.ms": never, "min.compaction.lag.ms": never}
    configure(settings, settings.topic("profiles"), lags)
