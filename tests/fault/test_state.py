"""What a worker has on its disk, or reads its state from, is not what it left there."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fault.budget import EVENTS, some
from tests.fault.case import Case, CaseOf
from tests.fault.history import history

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
    lose_manifest,
    overwrite,
    lose_tables,
    cut_log,
    lose_all,
]


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
