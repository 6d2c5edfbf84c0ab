"""The topics on the cluster: ``create`` makes them, ``check`` compares them with what is needed."""

import time
from typing import Final, Literal

import msgspec
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its re-exports are implicit
    ConfigResource,
    NewTopic,
    ResourceType,
)

from app.core.errors import ConfigError, InfrastructureError
from app.kafka.clients import Admin
from app.kafka.topic_specs import (
    COMPRESSION,
    READ_BY_ALL,
    Finding,
    TopicSpec,
    config_findings,
    count_findings,
    needed,
)
from app.settings.model import Settings

_TIMEOUT_S: Final = 15.0
_TRY_S: Final = 3.0
_POLL_S: Final = 0.1
_KAFKAS_LARGEST: Final = 1_048_588
#: Values of COMPRESSION with which every client reads a topic.
_READ_BY_ALL: Final = frozenset({READ_BY_ALL, "uncompressed"})


class CreateReport(msgspec.Struct, frozen=True, kw_only=True):
    """What ``create`` did and found; topics by their names on the broker."""

    created: tuple[str, ...]
    existing: tuple[str, ...]
    findings: tuple[Finding, ...]


def create(settings: Settings) -> CreateReport:
    """Make what is missing and leave the rest as it is; differences are findings.

    New topics take the partition count that the existing input topics share, if they do.
    Raises InfrastructureError when the cluster does not answer or refuses.
    """
    admin = Admin(settings)
    counts = _partition_counts(admin, settings)
    needs = needed(settings)
    shared = {counts[topic] for topic in settings.input_topics.values() if topic in counts}
    partitions = shared.pop() if len(shared) == 1 else settings.partitions
    missing = [need for need in needs if need.topic not in counts]
    shown = _create(admin, settings, missing, partitions) if missing else counts
    return CreateReport(
        created=tuple(need.topic for need in missing),
        existing=tuple(need.topic for need in needs if need.topic in counts),
        findings=tuple(_findings(admin, settings, shown)),
    )


def delete(settings: Settings) -> None:
    """Delete all topics of these settings that exist, and the consumer group, with what they hold.

    Raises InfrastructureError when the cluster does not answer or refuses.
    """
    admin = Admin(settings)
    counts = _partition_counts(admin, settings)
    found = [need.topic for need in needed(settings) if need.topic in counts]
    futures = admin.delete_topics(found, request_timeout=_TIMEOUT_S) if found else {}
    for topic, future in futures.items():
        try:
            future.result()
        except KafkaException as exc:
            raise _unavailable(admin, settings, f"deletion of {topic}", exc) from exc
    group = admin.delete_consumer_groups([settings.app_id], request_timeout=_TIMEOUT_S)
    try:
        group[settings.app_id].result()
    except KafkaException as exc:
        if exc.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
            what = f"deletion of the group {settings.app_id}"
            raise _unavailable(admin, settings, what, exc) from exc


def check(settings: Settings) -> list[Finding]:
    """What differs from what is needed; nothing when all is well. Raises InfrastructureError."""
    admin = Admin(settings)
    return _findings(admin, settings, _partition_counts(admin, settings))


def largest_message(settings: Settings, topic: str) -> int:
    """How many bytes a batch on this topic may have. Raises InfrastructureError."""
    config = _configs(Admin(settings), settings, [topic])[topic]
    return int(config.get("max.message.bytes", _KAFKAS_LARGEST))


def compression(settings: Settings) -> Literal["gzip", "none", "lz4", "snappy", "zstd"]:
    """What a worker of these settings compresses with; the topics must exist.

    Where they leave it open: lz4 when the broker packs all outputs again for their readers, and
    otherwise gzip. One that only keeps a topic's ``compression.type``, as the embedded broker does,
    has no such setting of its own. Raises InfrastructureError.
    """
    if settings.compression is not None:
        return settings.compression
    admin = Admin(settings)
    if COMPRESSION not in (admin.broker_settings(_TIMEOUT_S) or ()):
        return "gzip"
    outputs = [need.topic for need in needed(settings) if need.role == "output"]
    configs = _configs(admin, settings, outputs).values()
    is_repacked = all(config.get(COMPRESSION) in _READ_BY_ALL for config in configs)
    return "lz4" if is_repacked else "gzip"


def require_one_count(settings: Settings) -> int:
    """The partition count that all input topics have.

    Raises ConfigError when one is missing, or naming each topic and its count when they differ:
    a customer's orders and bookings would not meet. InfrastructureError without an answer.
    """
    counts = _partition_counts(Admin(settings), settings)
    inputs = settings.input_topics.values()
    missing = [topic for topic in inputs if topic not in counts]
    if missing:
        raise ConfigError(
            f"the input topics {', '.join(missing)} do not exist at {settings.bootstrap_servers}:"
            " run `triggers topics create`, or correct the names"
        )
    found = {topic: counts[topic] for topic in inputs}
    if len(set(found.values())) > 1:
        got = ", ".join(f"{topic} {count}" for topic, count in found.items())
        raise ConfigError(
            f"the input topics must have one partition count, got {got}:"
            " recreate the topics that differ, or correct the names"
        )
    return min(found.values())


def _partition_counts(admin: Admin, settings: Settings) -> dict[str, int]:
    """Topic on the broker -> partitions, of all that exist."""
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            topics = admin.list_topics(timeout=_TRY_S).topics
            break
        except KafkaException as exc:
            # asking again changes nothing where it was refused
            if admin.reason() or time.monotonic() > deadline:
                raise _unavailable(admin, settings, "metadata", exc) from exc
    return {name: len(topic.partitions) for name, topic in topics.items() if topic.partitions}


def _findings(admin: Admin, settings: Settings, counts: dict[str, int]) -> list[Finding]:
    needs = needed(settings)
    findings = [
        Finding(
            topic=need.topic,
            what="topic",
            got="none",
            expected="one, as `triggers topics create` makes it",
        )
        for need in needs
        if need.topic not in counts
    ]
    findings += count_findings(settings, counts)
    present = [need for need in needs if need.topic in counts]
    configs = _configs(admin, settings, [need.topic for need in present])
    for need in present:
        findings += config_findings(need, configs[need.topic])
    return findings


def _configs(admin: Admin, settings: Settings, topics: list[str]) -> dict[str, dict[str, str]]:
    """Topic on the broker -> its configuration, of topics that exist: a broker that does not know
    one has not heard of it yet, and is asked again.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    configs: dict[str, dict[str, str]] = {}
    while missing := [topic for topic in topics if topic not in configs]:
        resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in missing]
        answers = admin.describe_configs(resources, request_timeout=_TIMEOUT_S)
        for resource, answer in answers.items():
            try:
                entries = answer.result()
            except KafkaException as exc:
                is_new = exc.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART
                if not is_new or time.monotonic() > deadline:
                    what = f"configuration of {resource.name}"
                    raise _unavailable(admin, settings, what, exc) from exc
                time.sleep(_POLL_S)
                break
            configs[resource.name] = {
                name: entry.value for name, entry in entries.items() if entry.value is not None
            }
    return configs


def _create(
    admin: Admin, settings: Settings, needs: list[TopicSpec], partitions: int
) -> dict[str, int]:
    """Ask for the topics and wait until the cluster shows them; one made meanwhile is fine.

    Returns the partition counts of all topics. Another broker may not know them yet.
    """
    factor = settings.replication_factor
    topics = [
        NewTopic(
            need.topic,
            num_partitions=partitions,
            replication_factor=factor,
            config=need.config(factor),
        )
        for need in needs
    ]
    for topic, future in admin.create_topics(topics, request_timeout=_TIMEOUT_S).items():
        try:
            future.result()
        except KafkaException as exc:
            if exc.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise _unavailable(admin, settings, f"creation of {topic}", exc) from exc
    wanted = {need.topic for need in needs}
    deadline = time.monotonic() + _TIMEOUT_S
    while not wanted <= (counts := _partition_counts(admin, settings)).keys():
        if time.monotonic() > deadline:
            raise InfrastructureError(
                f"Kafka at {settings.bootstrap_servers} created topics but does not show them"
                f" after {_TIMEOUT_S:g} s: run `triggers topics check` later"
            )
        time.sleep(_POLL_S)
    return counts


def _unavailable(
    admin: Admin, settings: Settings, what: str, exc: KafkaException
) -> InfrastructureError:
    reason = admin.reason() or admin.guess()
    return InfrastructureError(
        f"Kafka at {settings.bootstrap_servers}: {what}: {exc.args[0].str()}"
        f"{f' ({reason})' if reason else ''};"
        " check the address, the credentials and that the cluster is up"
    )
