"""Where a log ends, and up to where it may be read: they differ while a transaction hangs."""

from typing import NamedTuple

from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # implicit re-export

from app.kafka.clients import Admin
from app.settings.model import Settings

_LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_TIMEOUT_S = 10.0


class Ends(NamedTuple):
    """Offsets after the last record of one partition."""

    stable: int
    log: int


def ends(settings: Settings, topic: str) -> list[Ends]:
    """Of each partition of a topic, by its name on the broker."""
    asked = {TopicPartition(topic, number): _LATEST for number in range(settings.partitions)}
    found = []
    admin = Admin(settings)
    for level in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED):
        answers = admin.list_offsets(asked, isolation_level=level)
        found.append([answer.result(_TIMEOUT_S).offset for answer in answers.values()])
    return [Ends(*each) for each in zip(*found, strict=True)]
