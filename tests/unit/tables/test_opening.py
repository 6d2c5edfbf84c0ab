"""Files that cannot be trusted are thrown away; those that somebody else uses are not."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from app.core.errors import InfrastructureError
from app.core.time.instants import END_OF_TIME_MS
from tables.layout import Head, pack_value
from tables.opening import TRUSTED_MS
from tables.partition import PartitionStore

CUSTOMERS = 4000


class Entry(NamedTuple):
    """A changelog entry."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A database with a few blocks in it, closed."""
    folder = tmp_path / "customers-3"
    store = PartitionStore(folder)
    store.apply(entries(), CUSTOMERS - 1)
    store.compact()
    store.close()
    return folder


def entries() -> list[Entry]:
    """The whole changelog."""
    return [
        Entry(at, b"c%d" % at, pack_value(Head(END_OF_TIME_MS, 0, False), os.urandom(200)))
        for at in range(CUSTOMERS)
    ]


def ids() -> list[bytes]:
    """All customers."""
    return [b"c%d" % at for at in range(CUSTOMERS)]


def damage(file: Path) -> None:
    """Turn bits in the middle."""
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(255 - byte for byte in content[middle : middle + 40])
    file.write_bytes(content)


def each(pattern: str, change: Callable[[Path], None]) -> Callable[[Path], None]:
    """The change, to every such file."""

    def change_all(folder: Path) -> None:
        files = list(folder.glob(pattern))
        assert files
        for file in files:
            change(file)

    return change_all


@pytest.mark.parametrize(
    "change",
    [
        each("*.sst", Path.unlink),
        each("*.sst", lambda file: os.truncate(file, 1000)),
        each("MANIFEST*", Path.unlink),
        each("MANIFEST*", damage),
        each("CURRENT", damage),
        each("*", Path.unlink),
    ],
    ids=["no data", "data cut", "no manifest", "bad manifest", "bad current", "nothing"],
)
def test_damage_found_when_opening_is_mended_by_the_changelog(
    folder: Path, change: Callable[[Path], None]
) -> None:
    """It starts from nothing, and then has everything."""
    change(folder)
    store = PartitionStore(folder)
    assert store.progress == (-1, 0, 0)
    assert store.apply(entries(), CUSTOMERS - 1, in_bulk=True) == CUSTOMERS
    assert store.progress == (CUSTOMERS - 1, CUSTOMERS, 0)
    store.close()


def test_files_are_compressed_when_they_are_rewritten(tmp_path: Path) -> None:
    """As they were written first they are as large as what is in them."""
    store = PartitionStore(tmp_path / "customers-3")
    value = pack_value(Head(END_OF_TIME_MS, 0, False), bytes(100))
    store.apply([Entry(at, b"c%d" % at, value) for at in range(CUSTOMERS)], CUSTOMERS - 1)
    store._db.flush()
    assert store.files_bytes() > len(value) * CUSTOMERS
    store.compact()
    assert store.files_bytes() < len(value) * CUSTOMERS / 2
    store.close()


def test_damage_found_later_stops_the_worker_and_is_mended_at_the_next_start(folder: Path) -> None:
    """A checksum is looked at when the block is read."""
    each("*.sst", damage)(folder)
    store = PartitionStore(folder)
    with pytest.raises(InfrastructureError, match="damaged"):
        list(map(store.get, ids()))
    store.close()
    for _ in range(2):
        store = PartitionStore(folder)
        assert store.progress.offset == -1
        store.close()


OPEN = """
import sys
from pathlib import Path
from app.core.errors import InfrastructureError
from tables.partition import PartitionStore
try:
    PartitionStore(Path(sys.argv[1]))
except InfrastructureError as exc:
    print(exc)
"""


def test_a_database_in_use_is_left_alone(folder: Path) -> None:
    """The second process says that another one has it, and nothing is thrown away."""
    store = PartitionStore(folder)
    said = subprocess.run(
        [sys.executable, "-c", OPEN, str(folder)],
        cwd=Path(__file__).parents[3],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "open in another process" in said
    assert store.progress.customers == CUSTOMERS
    store.close()


def test_files_older_than_the_changelog_remembers_are_not_used(tmp_path: Path) -> None:
    """An erasure may be among what compaction has taken away since."""
    now_ms = 1_000

    def opened() -> PartitionStore:
        return PartitionStore(tmp_path / "p", now=lambda: now_ms)

    store = opened()
    store.write([], 7)
    store.close()
    now_ms += TRUSTED_MS
    store = opened()
    assert store.progress.offset == 7
    store.touch()
    store.close()
    now_ms += TRUSTED_MS
    store = opened()
    assert store.progress.offset == 7
    store.apply([Entry(8, b"c", None, now_ms - 5)], 8)
    store.close()
    now_ms += TRUSTED_MS - 4
    store = opened()
    assert store.progress.offset == -1
    store.close()


CRASH = """
import os, sys
from pathlib import Path
from tables import partition
from tables.partition import PartitionStore
from tests.unit.tables.test_opening import CUSTOMERS, entries
partition.BULK_ENTRIES = int(sys.argv[2])
store = PartitionStore(Path(sys.argv[1]))
log = entries()
for at in range(0, CUSTOMERS, 500):
    store.apply(log[at : at + 500], at + 499, in_bulk=True)
    if at == 1500:
        store.settle()
os._exit(0)
"""


def crashed(path: Path, bulk_entries: int) -> PartitionStore:
    """The database of a worker that died at the end of a recovery, opened again."""
    subprocess.run(
        [sys.executable, "-c", CRASH, str(path), str(bulk_entries)],
        cwd=Path(__file__).parents[3],
        check=True,
    )
    return PartitionStore(path)


def test_a_crash_in_bulk_goes_back_to_an_earlier_point(tmp_path: Path) -> None:
    """What was not flushed is read again; what is there is whole."""
    store = crashed(tmp_path / "p", bulk_entries=0)
    known = store.progress.offset
    assert known == 1999
    assert [at for at in range(CUSTOMERS) if store.get(b"c%d" % at)] == list(range(known + 1))
    assert store.apply(entries(), CUSTOMERS - 1, in_bulk=True) == CUSTOMERS - 1 - known
    store.close()


def test_a_short_recovery_is_kept_over_a_crash(tmp_path: Path) -> None:
    """It is written as commit units are: to flush it would take longer than to read it."""
    store = crashed(tmp_path / "p", bulk_entries=CUSTOMERS)
    assert store.progress == (CUSTOMERS - 1, CUSTOMERS, 0)
    store.close()
