"""Settings of a topic on Apache Kafka, changed while it is there."""

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its re-exports are implicit
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from app.kafka.clients import Admin
from app.settings.model import Settings


def configure(settings: Settings, topic: str, values: dict[str, str]) -> None:
    """Give a topic these settings."""
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in values.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin = Admin(settings)  # whose answers never come once it is let go of
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(60)
