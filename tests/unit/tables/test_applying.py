"""Applying a changelog: any database, however the entries were divided, has what they say."""

import shutil
import struct
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.time.instants import END_OF_TIME_MS
from tables import partition
from tables.layout import (
    AS_OF_KEY,
    EMITTED_KEY,
    PROGRESS_KEY,
    RATES_HEAD,
    RATES_KEY,
    Head,
    head_of,
    pack_offset,
    pack_value,
)
from tables.partition import PartitionStore
from tests.effort import examples

HEADS = st.builds(
    Head,
    st.sampled_from([-3, 0, 7, 1 << 40, END_OF_TIME_MS]),
    st.sampled_from([0, 1, 300, 65_535]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
RECORDS = st.tuples(
    st.sampled_from([b"a", b"b", b"c", "ä".encode() * 40, b"x|y"]),
    st.none() | st.builds(pack_value, HEADS, st.sampled_from([b"", b"record", b"longer record"])),
)
RATES = st.just((RATES_KEY, pack_value(RATES_HEAD, b"slots")))
#: A changelog: records, states of the send rates, None for a marker of what is on Kafka.
CHANGELOGS = st.lists(st.one_of(RECORDS, RECORDS, RECORDS, RATES, st.none()), max_size=40)
SIZES = st.lists(st.integers(1, 9), min_size=40, max_size=40)


class Entry(NamedTuple):
    """A changelog entry."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0


@pytest.fixture(autouse=True)
def short_bulk_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bulk load begins within the changelogs of this file."""
    monkeypatch.setattr(partition, "BULK_ENTRIES", 8)


@examples(150)
@given(CHANGELOGS, SIZES, st.booleans(), st.integers(0, 12))
def test_a_database_has_what_its_changelog_says_however_it_was_divided(
    changelog: list[tuple[bytes, bytes | None] | None],
    sizes: list[int],
    is_in_bulk: bool,
    repeated: int,
) -> None:
    """Every key and value, from batches, from single entries, and from both, with a reopening
    between and entries that come again.
    """
    log = entries(changelog)
    root = Path(tempfile.mkdtemp())
    try:
        batches = list(divided(log, sizes))
        single = [[entry] for entry in log]
        half = len(batches) // 2
        first = batches[:half]
        rest = log[max(0, sum(map(len, first)) - repeated) :]
        assert applied(root / "batches", batches, is_in_bulk) == expected(batches)
        assert applied(root / "single", single, is_in_bulk) == expected(single)
        applied(root / "both", first, is_in_bulk)
        known = sum(map(len, first))
        both = [*first, *([entry] for entry in log[known:])]
        assert applied(root / "both", [[entry] for entry in rest], is_in_bulk) == expected(both)
    finally:
        shutil.rmtree(root)


def entries(changelog: Iterable[tuple[bytes, bytes | None] | None]) -> list[Entry]:
    """A marker says that all but the last two entries before it are on Kafka."""
    return [
        Entry(at, EMITTED_KEY, pack_offset(max(0, at - 3)), 100 + at)
        if each is None
        else Entry(at, *each, 100 + at)
        for at, each in enumerate(changelog)
    ]


def divided(log: list[Entry], sizes: Iterable[int]) -> Iterator[list[Entry]]:
    at = 0
    for size in sizes:
        if log[at : at + size]:
            yield log[at : at + size]
        at += size


def applied(path: Path, batches: list[list[Entry]], is_in_bulk: bool) -> dict[bytes, bytes]:
    """All keys and values of the database after these batches."""
    store = PartitionStore(path, now=lambda: 1_000)
    for batch in batches:
        store.apply(batch, batch[-1].offset, in_bulk=is_in_bulk)
    store.close()
    store = PartitionStore(path, now=lambda: 1_000)
    content = dict(store._db.items())
    store.close()
    return content


def expected(batches: list[list[Entry]]) -> dict[bytes, bytes]:
    """The content by the words of tables/layout.py, from the last entry of each key."""
    if not batches:
        return {}
    last: dict[bytes, Entry] = {}
    unsent: dict[int, bytes] = {}
    for batch in batches:
        latest = {entry.key: entry for entry in batch if entry.key is not None}
        marker = latest.pop(EMITTED_KEY, None)
        last |= latest
        for key, entry in latest.items():
            if entry.value is not None and head_of(entry.value).has_outbox:
                unsent[entry.offset] = key
        if marker is not None and marker.value is not None:
            (emitted,) = struct.unpack(">Q", marker.value)
            unsent = {offset: key for offset, key in unsent.items() if offset > emitted}
    content, customers, pending = {}, 0, 0
    for offset, key in unsent.items():
        content[b"U|" + struct.pack(">Q", offset) + key] = b""
    for key, entry in last.items():
        if entry.value is None:
            continue
        head = head_of(entry.value)
        content[b"C|" + key] = entry.value
        if head.next_due_ms != END_OF_TIME_MS:
            index = b"E|" if head.is_erased else b"M|" if head.is_merged else b"T|"
            content[index + struct.pack(">Q", head.next_due_ms + 2**63) + key] = b""
        if head.has_parked:
            content[b"P|" + key] = b""
        if not head.is_erased:
            customers += 1
            pending += head.pending
    end = batches[-1][-1]
    content[PROGRESS_KEY] = struct.pack(">qQQ", end.offset, customers, pending)
    content[AS_OF_KEY] = pack_offset(end.timestamp)
    return content
