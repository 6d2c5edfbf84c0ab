"""What a worker has on its disk, or reads its state from, is not what it left there."""

import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its re-exports are implicit
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from app.kafka import Admin
from tests.fault.budget import EVENTS, some
from tests.fault.case import Case, CaseOf
from tests.fault.history import history
from tests.kafka.cluster import KafkaCluster
from tests.kafka.wanted import require_kafka

pytestmark = pytest.mark.soak
REBUILT = "is thrown away and rebuilt from the changelog"


def databases(case: Case) -> list[Path]:
    """The folder of each partition's database."""
    found = sorted({path.parent for path in case.data_dir("a").rglob("CURRENT")})
    assert found
    return found


def overwrite(folder: Path, choice: random.Random) -> None:
    """Bytes in the middle of every table and log are others."""
    for path in (*folder.glob("*.sst"), *folder.glob("*.log")):
        size = path.stat().st_size
        with path.open("r+b") as file:
            for _ in range(20 if size else 0):
                file.seek(choice.randrange(size))
                file.write(choice.randbytes(8))


def lose_tables(folder: Path, choice: random.Random) -> None:
    """The table files are gone, and the manifest speaks of them."""
    for path in folder.glob("*.sst"):
        path.unlink()


def lose_manifest(folder: Path, choice: random.Random) -> None:
    """Nobody knows which files there are."""
    for path in folder.glob("MANIFEST-*"):
        path.unlink()


def cut_log(folder: Path, choice: random.Random) -> None:
    """What was written last never reached the disk."""
    for path in folder.glob("*.log"):
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)


def lose_all(folder: Path, choice: random.Random) -> None:
    """The folder is gone."""
    shutil.rmtree(folder)


HARMS: list[Callable[[Path, random.Random], None]] = [
    lose_manifest, overwrite, lose_tables, cut_log, lose_all
]  # fmt: skip


@pytest.mark.parametrize(
    ("broker", "guarantee"),
    [("kafka", "exactly_once"), ("embedded", "at_least_once")],
    indirect=["broker"],
)
def test_files_damaged_or_deleted(case_of: CaseOf, guarantee: str) -> None:
    """Of a worker that was killed; in the end under one that runs."""
    case = case_of(history(EVENTS), guarantee=guarantee)
    choice, rebuilt = random.Random(5), 0
    harms = HARMS[:: some(1, 2)]
    for number, harm in enumerate(harms):
        worker = case.start()
        case.wait_for_share((number + 1) / (len(harms) + 2))
        case.kill()
        rebuilt += worker.log.count(REBUILT)
        for folder in databases(case)[number % 2 :: 2]:
            harm(folder, choice)
    worker = case.start()
    case.wait_for_share((len(harms) + 1) / (len(harms) + 2))
    rebuilt += worker.log.count(REBUILT)
    for folder in databases(case)[::2]:
        for path in folder.iterdir():
            path.unlink()
    case.kill()
    case.start()
    case.finish()
    assert rebuilt


class TestCompaction:
    """On a broker that compacts as soon as it can."""

    @pytest.fixture(scope="class")
    def kafka(self) -> Iterator[KafkaCluster]:
        require_kafka()
        with KafkaCluster() as kafka:
            yield kafka

    def test_changelog_compacted_meanwhile(self, case_of: CaseOf, kafka: KafkaCluster) -> None:
        """While it is written, and while volumes that were lost are rebuilt from it."""
        whole = history(EVENTS)
        case = case_of(whole, is_published=False)
        changelog = case.settings.changelog_topic
        at_once = {"segment.ms": "200", "min.cleanable.dirty.ratio": "0.01"}
        configure(case, changelog, at_once | {"max.compaction.lag.ms": "1000"})
        # a history under old timestamps would lose its older profiles before it is read
        never = str(2**62)
        lags = {"max.compaction.lag.ms": never, "min.compaction.lag.ms": never}
        configure(case, case.settings.topic("profiles"), lags)
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


def configure(case: Case, topic: str, values: dict[str, str]) -> None:
    """Give a topic these settings."""
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in values.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    for done in Admin(case.settings).incremental_alter_configs([resource]).values():
        done.result(10)


def is_cleaned_beyond(kafka: KafkaCluster, topic: str, before: int) -> bool:
    """Whether more of the topic is compacted than before."""
    return cleaned_to(kafka, topic) > before


def cleaned_to(kafka: KafkaCluster, topic: str) -> int:
    """Up to which offsets the topic's partitions are compacted, their sum."""
    path = kafka.nodes[0].folder / "data" / "cleaner-offset-checkpoint"
    lines = path.read_text().splitlines() if path.exists() else []
    return sum(int(line.split()[2]) for line in lines if line.startswith(f"{topic} "))
