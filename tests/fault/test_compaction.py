"""Topics that are compacted as soon as the broker can: on Apache Kafka only."""

from functools import partial

import msgspec
import pytest

from app.kafka import topics
from app.publish.publish import publish
from app.settings.model import Settings
from tests.fault.budget import EVENTS, some
from tests.fault.case import CaseOf
from tests.fault.history import history
from tests.fault.topic_settings import configure
from tests.kafka.cluster import KafkaCluster
from tests.process.running import Wire, wait_for

pytestmark = pytest.mark.soak


def is_cleaned_beyond(kafka: KafkaCluster, topic: str, before: int) -> bool:
    """Whether more of the topic is compacted than before."""
    return cleaned_to(kafka, topic) > before


def cleaned_to(kafka: KafkaCluster, topic: str) -> int:
    """Up to which offsets the topic's partitions are compacted, their sum."""
    path = kafka.nodes[0].folder / "data" / "cleaner-offset-checkpoint"
    lines = path.read_text().splitlines() if path.exists() else []
    return sum(int(line.split()[2]) for line in lines if line.startswith(f"{topic} "))


def test_changelog_compacted_meanwhile(case_of: CaseOf, kafka: KafkaCluster) -> None:
    """While it is written, and while volumes that were lost are rebuilt from it."""
    whole = history(EVENTS)
    case = case_of(whole, is_published=False)
    changelog = case.settings.changelog_topic
    at_once = {"segment.ms": "200", "min.cleanable.dirty.ratio": "0.01"}
    configure(
        case.settings,
        changelog,
        at_once | {"max.compaction.lag.ms": "1000"},
    )
    case.publish(whole.lines)
    kills, cleaned = some(4, 1), 0
    for number in range(kills):
        case.start()
        case.wait_for_share((number + 1) / (kills + 1))
        case.wait("compacted", partial(is_cleaned_beyond, kafka, changelog, cleaned))
        cleaned = cleaned_to(kafka, changelog)
        case.kill()
        case.wipe("a")
    case.start()
    case.finish()


def profile_updates(settings: Settings) -> int:
    """How many are there to be read."""
    return len(Wire(settings, settings.partitions).read("profiles"))


def test_profiles_of_a_rehearsal_are_not_compacted(kafka: KafkaCluster, settings: Settings) -> None:
    """Updates that are years old, in several segments; of a live topic the same are compacted."""
    assert settings.clock == "records"
    live = msgspec.structs.replace(settings, clock="wall", topic_prefix=f"live-{settings.app_id}.")
    whole, published = history(EVENTS), 0
    for each in (settings, live):
        assert topics.create(each).findings == ()
        for number in range(4):
            report = publish(each, whole.part(number, 4), timestamps="occurred_at")
            published += report.published["profiles"]

    wait_for("compacted", lambda: 0 < profile_updates(live) < published // 2)

    assert profile_updates(settings) == published // 2
