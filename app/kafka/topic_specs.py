"""What each topic has to be like, and in what a given one differs."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from app.core.events import PROFILES
from app.settings.model import Settings
from app.settings.parsers import duration_ms, duration_text
from app.settings.topics import FOR_EVER, Topic, topics_with

_COMPACT: Final = "compact"
_DELETE: Final = "delete"

#: What an erasure overwrites is gone from the log this long after, whatever else is written.
_COMPACTED_WITHIN: Final = "1d"
#: In ms. A rehearsal publishes history under its old timestamps, and all that is old may be
#: compacted at once: profile updates would be gone before they were read.
_NEVER_COMPACTED: Final = str(2**62)
#: The setting of how a broker packs what a topic holds, and its value for outputs: every Kafka
#: client unpacks that without further packages.
COMPRESSION: Final = "compression.type"
READ_BY_ALL: Final = "gzip"
#: A record with all that it may hold (app/core/customer/limits.py); a dead letter with what others
#: let pass.
_LARGEST_BYTES: Final = 8 << 20


class TopicSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What one topic has to be like. ``retention`` is None for a compacted one, which keeps all."""

    logical: str
    role: Literal["input", "output", "internal"]
    #: on the broker
    topic: str
    #: access that a worker needs, when the topic is there already
    operations: tuple[str, ...]
    cleanup_policy: str
    #: a created topic's, and the shortest that will do
    retention: str | None = None
    least_retention: str | None = None
    #: compacted by name only
    is_kept_whole: bool = False
    #: the largest batch of records that a created one takes, in bytes; None: what the broker says
    message_bytes: int | None = None
    #: how the broker packs what a created one holds, whatever it comes in; None: it stays as it is
    compression: str | None = None
    #: must have as many partitions as the input topics, which agree among themselves
    is_copartitioned: bool = False

    def config(self, replication_factor: int) -> dict[str, str]:
        """The configuration that a created topic gets."""
        config = {"cleanup.policy": self.cleanup_policy}
        if self.is_kept_whole:
            config["min.compaction.lag.ms"] = config["max.compaction.lag.ms"] = _NEVER_COMPACTED
        elif self.cleanup_policy == _COMPACT:
            config["max.compaction.lag.ms"] = str(duration_ms(_COMPACTED_WITHIN))
        if self.retention is not None:
            is_endless = self.retention == FOR_EVER
            config["retention.ms"] = "-1" if is_endless else str(duration_ms(self.retention))
        if self.compression is not None:
            config[COMPRESSION] = self.compression
        if self.message_bytes is not None:
            config["max.message.bytes"] = str(self.message_bytes)
        if replication_factor > 2:
            # acks=all then means what it says when a leader is lost
            config["min.insync.replicas"] = "2"
        return config


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something about the topics that is not as needed."""

    topic: str
    what: str
    got: str
    expected: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.what}: got {self.got}, expected {self.expected}"


def needed(settings: Settings) -> list[TopicSpec]:
    """Every topic that the worker reads or writes."""
    return [_spec(topic, settings) for topic in topics_with(settings.declared_inputs)]


def _spec(topic: Topic, settings: Settings) -> TopicSpec:
    return TopicSpec(
        logical=topic.name,
        role=topic.role,
        topic=settings.topic(topic.name),
        operations=topic.operations,
        cleanup_policy=_COMPACT if topic.retention is None else _DELETE,
        retention=topic.retention,
        least_retention=topic.least_retention,
        is_copartitioned=topic.role != "output",
        is_kept_whole=topic.name == PROFILES and settings.clock == "records",
        message_bytes=_LARGEST_BYTES if topic.is_large else None,
        compression=READ_BY_ALL if topic.role == "output" else None,
    )


def count_findings(settings: Settings, counts: Mapping[str, int]) -> list[Finding]:
    """What is wrong with the partition counts of the topics that are there.

    Input topics that disagree are one finding, which names each with its count.
    """
    inputs = {topic: counts[topic] for topic in settings.input_topics.values() if topic in counts}
    wanted = set(inputs.values())
    if len(wanted) > 1:
        got = ", ".join(f"{topic} {count}" for topic, count in inputs.items())
        return [
            Finding(topic="input topics", what="partitions", got=got, expected="one count for all")
        ]
    return [
        Finding(
            topic=need.topic,
            what="partitions",
            got=str(counts[need.topic]),
            expected=f"{min(wanted)}, as the input topics have",
        )
        for need in needed(settings)
        if need.is_copartitioned and wanted and counts.get(need.topic, min(wanted)) not in wanted
    ]


def config_findings(need: TopicSpec, config: Mapping[str, str]) -> Iterable[Finding]:
    """In what a topic's configuration differs. Retention may be longer than needed."""
    policy = ",".join(sorted(config.get("cleanup.policy", _DELETE).replace(" ", "").split(",")))
    if policy != need.cleanup_policy:
        yield Finding(
            topic=need.topic, what="cleanup.policy", got=policy, expected=need.cleanup_policy
        )
    retention_ms = int(config.get("retention.ms", "-1"))
    if need.least_retention and 0 <= retention_ms < duration_ms(need.least_retention):
        yield Finding(
            topic=need.topic,
            what="retention.ms",
            got=duration_text(retention_ms),
            expected=f"{need.least_retention} at least",
        )
