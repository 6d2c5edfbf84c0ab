"""Topics are made as they are needed, and what differs is found."""

import msgspec
import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from app.core.errors import ConfigError
from app.kafka.clients import admin_config
from app.kafka.embedded_broker import EmbeddedBroker
from app.kafka.topic_specs import needed
from app.kafka.topics import check, compression, create, require_one_count
from app.settings.model import Settings
from tests.kafka.cluster import KafkaCluster
from tests.process.running import wait_for


def make(settings: Settings, name: str, partitions: int, **config: str) -> None:
    """A topic that somebody else made."""
    topic = NewTopic(
        settings.topic(name),
        num_partitions=partitions,
        replication_factor=1,
        config={key.replace("_", "."): value for key, value in config.items()},
    )
    admin = AdminClient(admin_config(settings))
    for future in admin.create_topics([topic]).values():
        future.result()
    wait_for(topic.topic, lambda: topic.topic in admin.list_topics(timeout=60).topics)


def test_created_topics_are_as_needed(settings: Settings) -> None:
    """On an empty cluster everything is made, and a check then has nothing to say."""
    report = create(settings)

    assert set(report.created) == {need.topic for need in needed(settings)}
    assert {settings.topic("dead-letters"), settings.changelog_topic} <= set(report.created)
    assert (report.existing, report.findings) == ((), ())
    assert check(settings) == []
    assert require_one_count(settings) == settings.partitions


def test_create_can_be_repeated(settings: Settings) -> None:
    """What exists is left as it is."""
    first = create(settings)
    again = create(msgspec.structs.replace(settings, partitions=9))

    assert again.created == ()
    assert set(again.existing) == set(first.created)
    assert require_one_count(settings) == settings.partitions


def test_a_worker_compresses_by_lz4_where_the_broker_packs_outputs_again(
    settings: Settings, broker: EmbeddedBroker | KafkaCluster
) -> None:
    """The embedded broker does not. A setting goes before that."""
    create(settings)
    by_itself = "gzip" if isinstance(broker, EmbeddedBroker) else "lz4"
    assert compression(settings) == by_itself
    assert compression(msgspec.structs.replace(settings, compression="zstd")) == "zstd"


def test_a_worker_compresses_by_gzip_for_an_output_that_stays_as_it_comes(
    settings: Settings,
) -> None:
    """Somebody else made it, for readers that may lack lz4."""
    make(settings, "outcomes", 4)
    assert create(settings).findings == ()
    assert compression(settings) == "gzip"


def test_new_topics_take_the_count_of_the_inputs(settings: Settings) -> None:
    """Whatever the setting says: with another count the engine would refuse to start."""
    make(settings, "orders", 7)

    assert create(settings).findings == ()
    assert require_one_count(settings) == 7


def test_inputs_that_disagree_are_named_with_their_counts(settings: Settings) -> None:
    """A customer's orders and bookings would not meet."""
    make(settings, "orders", 3)
    make(settings, "bookings", 5)

    (finding,) = create(settings).findings
    counts = ", ".join(
        f"{settings.topic(name)} {count}"
        for name, count in (("profiles", 4), ("orders", 3), ("bookings", 5), ("engagement", 4))
    )

    assert finding.got == counts
    with pytest.raises(ConfigError, match="one partition count") as caught:
        require_one_count(settings)
    assert counts in str(caught.value)


def test_missing_topics_are_named(settings: Settings) -> None:
    """The error names the topics and the command that makes them."""
    make(settings, "orders", 4)

    findings = {finding.topic: finding.got for finding in check(settings)}

    assert findings == {
        need.topic: "none" for need in needed(settings) if need.topic != settings.topic("orders")
    }
    with pytest.raises(ConfigError, match="triggers topics create"):
        require_one_count(settings)


def test_policy_and_retention_are_compared(settings: Settings) -> None:
    """Compaction would lose orders, deletion would lose profiles; longer retention is fine."""
    make(settings, "orders", 4, cleanup_policy="compact")
    make(settings, "bookings", 4, retention_ms="3600000")
    make(settings, "engagement", 4, retention_ms="-1")
    make(settings, "profiles", 4, cleanup_policy="delete")
    make(settings, "decisions", 1, retention_ms="8640000000")

    assert {(f.topic, f.what, f.got, f.expected) for f in create(settings).findings} == {
        (settings.topic("orders"), "cleanup.policy", "compact", "delete"),
        (settings.topic("bookings"), "retention.ms", "1h", "1d at least"),
        (settings.topic("profiles"), "cleanup.policy", "delete", "compact"),
    }


def test_the_changelog_must_have_the_count_of_the_inputs(settings: Settings) -> None:
    """Each partition of the table is rebuilt from the partition of that number."""
    named = msgspec.structs.replace(settings, topic_names={"changelog": settings.changelog_topic})
    make(named, "changelog", 2, cleanup_policy="compact")

    (finding,) = create(settings).findings

    assert (finding.topic, finding.what, finding.got) == (
        settings.changelog_topic,
        "partitions",
        "2",
    )
