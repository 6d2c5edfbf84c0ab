"""CloudEvents as their own SDK writes them."""

from datetime import UTC, datetime
from typing import Any, Literal

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import (
    KafkaMessage,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.v1.event import CloudEvent

Mode = Literal["structured", "binary"]


def message(
    mode: Mode,
    name: str,
    customer_id: str,
    data: dict[str, Any],
    *,
    event_id: str = "e-1",
    at: datetime | None = None,
    **extensions: Any,
) -> KafkaMessage:
    """An event as it goes onto Kafka, keyed by its subject."""
    event = CloudEvent(
        attributes={
            "id": event_id,
            "source": "/shop",
            "type": name,
            "subject": customer_id,
            "time": at or datetime.now(UTC),
            "datacontenttype": "application/json",
            **extensions,
        },
        data=data,
    )
    write = to_structured_event if mode == "structured" else to_binary_event
    return write(event, key_mapper=_subject)


def _subject(event: BaseCloudEvent) -> str | None:
    return event.get_subject()


def key_of(written: KafkaMessage) -> bytes:
    """The record's key."""
    return written.key.encode() if isinstance(written.key, str) else written.key or b""


def headers_of(written: KafkaMessage) -> list[tuple[str, str | bytes | None]]:
    """Its headers as Kafka clients take them."""
    return list(written.headers.items())
