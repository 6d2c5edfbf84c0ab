"""What each topic has to be like, and in what a given one differs."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from app.settings.model import DEAD_LETTERS, INPUTS, OUTPUTS, Settings
from app.settings.parsers import duration_ms, duration_text

_COMPACT: Final = "compact"
_DELETE: Final = "delete"

#: A topic that keeps everything: a rehearsal publishes history under its old timestamps, which a
#: broker would otherwise delete before anybody has read it.
_FOR_EVER: Final = "for ever"

#: logical name -> (retention a created topic gets, the shortest that does the job): the inputs
#: must outlast an outage, the outputs their readers', the reports' attribution windows too.
_RETENTION: Final = {
    "orders": (_FOR_EVER, "1d"),
    "bookings": (_FOR_EVER, "1d"),
    "engagement": (_FOR_EVER, "1d"),
    "dispatch": ("7d", "1d"),
    "decisions": ("30d", "7d"),
    "outcomes": ("90d", "7d"),
    "dead-letters": ("30d", "7d"),
}
#: What a worker does with every topic, in the words of Kafka's access lists: it looks whether the
#: topic is as needed.
_LOOK: Final = ("Describe", "DescribeConfigs")
_READ: Final = (*_LOOK, "Read")
_WRITE: Final = (*_LOOK, "Write")
_READ_WRITE: Final = (*_READ, "Write")
#: The decisions are read back to explain them.
_OPERATIONS: Final = {
    **dict.fromkeys(INPUTS, _READ),
    **dict.fromkeys(OUTPUTS, _WRITE),
    "decisions": _READ_WRITE,
}
#: What an erasure overwrites is gone from the log this long after, whatever else is written.
_COMPACTED_WITHIN: Final = "1d"
#: In ms. A rehearsal publishes history under its old timestamps, and all that is old may be
#: compacted at once: profile updates would be gone before anybody has read them.
_NEVER_COMPACTED: Final = str(2**62)
#: A record with all that it may hold (app/core/customer/limits.py); a dead letter with what others
#: let pass.
_LARGEST_BYTES: Final = 8 << 20
#: Counted from when a record was sent on: it must outlast an outage.
_REPARTITION_RETENTION: Final = ("7d", "1d")


class TopicSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What one topic has to be like. ``retention`` is None for a compacted one, which keeps all."""

    #: on the broker
    topic: str
    #: access that a worker needs, when the topic is there already
    operations: tuple[str, ...]
    cleanup_policy: str
    #: (a created topic's, the shortest that will do)
    retention: tuple[str, str] | None = None
    #: compacted by name only
    is_kept_whole: bool = False
    #: the largest batch of records that a created one takes, in bytes; None: what the broker says
    message_bytes: int | None = None
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
            kept = self.retention[0]
            config["retention.ms"] = "-1" if kept == _FOR_EVER else str(duration_ms(kept))
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
    plain = [
        TopicSpec(
            topic=settings.topic(name),
            operations=_OPERATIONS[name],
            cleanup_policy=_DELETE,
            retention=retention,
            is_copartitioned=name in INPUTS,
            message_bytes=_LARGEST_BYTES if name == DEAD_LETTERS else None,
        )
        for name, retention in _RETENTION.items()
    ]
    compacted = [
        TopicSpec(
            topic=topic,
            operations=operations,
            cleanup_policy=_COMPACT,
            is_copartitioned=True,
            message_bytes=largest,
            is_kept_whole=is_kept_whole,
        )
        for topic, operations, largest, is_kept_whole in (
            (settings.topic("profiles"), _READ, None, settings.clock == "records"),
            (settings.changelog_topic, _READ_WRITE, _LARGEST_BYTES, False),
        )
    ]
    repartition = TopicSpec(
        topic=settings.repartition_topic,
        operations=_READ_WRITE,
        cleanup_policy=_DELETE,
        retention=_REPARTITION_RETENTION,
        is_copartitioned=True,
    )
    return [*plain, *compacted, repartition]


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
    if need.retention is not None and 0 <= retention_ms < duration_ms(need.retention[1]):
        yield Finding(
            topic=need.topic,
            what="retention.ms",
            got=duration_text(retention_ms),
            expected=f"{need.retention[1]} at least",
        )
