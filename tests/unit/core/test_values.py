"""Small things that must be exact: ids, buckets, instants, local times, durations."""

import hashlib
import uuid
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.identity import bucket_of, request_id
from app.core.time.durations import parse_duration_ms
from app.core.time.instants import MAX_MS, MIN_MS, format_rfc3339, parse_rfc3339
from app.core.time.zones import instant_of_local, local, next_local_time, zone

NAMESPACE = uuid.UUID("6f1d3c52-8a0e-5b7e-9a3d-2f4b7c90e1aa")
BERLIN = ZoneInfo("Europe/Berlin")


@given(st.text(), st.text(), st.text(), st.integers(MIN_MS, MAX_MS), st.integers(0, 99))
def test_request_ids_are_uuid_5(
    trigger: str, customer: str, key: str, anchor_ms: int, step: int
) -> None:
    """The same id that the standard library makes of the documented name."""
    name = f"{trigger}|{customer}|{key}|{anchor_ms}|{step}"
    try:
        expected = str(uuid.uuid5(NAMESPACE, name))
    except UnicodeEncodeError:
        return
    assert request_id(trigger, customer, key, anchor_ms, step) == expected


@given(st.text(alphabet="abcü|"), st.text(alphabet="abcü|"))
def test_buckets_are_the_documented_hash(salt: str, customer: str) -> None:
    """The first 8 bytes, big-endian, of SHA-256 of ``salt|customer_id``, mod 10000."""
    digest = hashlib.sha256(f"{salt}|{customer}".encode()).digest()
    assert bucket_of(salt, customer) == int.from_bytes(digest[:8], "big") % 10_000


@given(st.integers(MIN_MS, MAX_MS))
def test_instants_survive_their_text(instant_ms: int) -> None:
    """What is written is read back, and is what the standard library reads."""
    text = format_rfc3339(instant_ms)
    assert parse_rfc3339(text) == instant_ms
    assert datetime.fromisoformat(text).timestamp() * 1000 == pytest.approx(instant_ms, abs=0.5)


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("2026-01-01T00:00:00.1239Z", "2026-01-01T00:00:00.123Z"),
        ("2026-01-01t02:30:00+02:30", "2026-01-01T00:00:00.000Z"),
        ("2026-06-30T23:59:60Z", "2026-07-01T00:00:00.000Z"),
        ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
    ],
)
def test_rfc_3339_is_read_whole(text: str, same_as: str) -> None:
    """Offsets, lower case, leap seconds; a finer fraction is cut off, before 1970 too."""
    assert format_rfc3339(parse_rfc3339(text)) == same_as


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00",
        "2026-02-30T00:00:00Z",
        "20260101T000000Z",
        "2026-W01-1T00:00:00Z",
        "2026-01-01",
        "",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00+24:00",
        "now",
    ],
)
def test_what_is_not_rfc_3339_is_refused(text: str) -> None:
    """No offset, no such day, other notations of ISO 8601."""
    with pytest.raises(ValueError, match=r"."):
        parse_rfc3339(text)


def at(text: str) -> int:
    """Epoch milliseconds of RFC 3339 text."""
    return parse_rfc3339(text)


def test_a_skipped_local_time_falls_on_the_first_instant_after() -> None:
    """Berlin, 29 March 2026: 02:30 does not exist; Lord Howe skips half an hour only."""
    assert instant_of_local(date(2026, 3, 29), 150, BERLIN) == at("2026-03-29T01:00:00Z")
    lord_howe = ZoneInfo("Australia/Lord_Howe")
    assert instant_of_local(date(2026, 10, 4), 135, lord_howe) == at("2026-10-03T15:30:00Z")


def test_of_a_local_time_that_comes_twice_the_first_counts() -> None:
    """Berlin, 25 October 2026: 02:30 comes at 00:30Z and at 01:30Z."""
    assert instant_of_local(date(2026, 10, 25), 150, BERLIN) == at("2026-10-25T00:30:00Z")
    assert next_local_time(at("2026-10-25T00:45:00Z"), 150, BERLIN) == at("2026-10-25T01:30:00Z")


@given(st.integers(at("1990-01-01T00:00:00Z"), at("2040-01-01T00:00:00Z")), st.integers(0, 1439))
def test_the_next_local_time_is_after_now_and_within_a_day_or_so(now_ms: int, minute: int) -> None:
    """It is that time on the wall then, unless a clock change has skipped it."""
    found = next_local_time(now_ms, minute, BERLIN)
    assert now_ms < found <= now_ms + 26 * 3_600_000
    wall = local(found, BERLIN)
    if not (wall.month == 3 and wall.day >= 25 and wall.hour == 3):
        assert wall.hour * 60 + wall.minute == minute


def test_an_unknown_zone_is_reported() -> None:
    """Names, folders and paths out of the data base alike."""
    for name in ("Mars", "Europe", "../etc/passwd", "/etc/localtime", ""):
        with pytest.raises(ValueError, match="no IANA time zone"):
            zone(name)
    assert zone("UTC").utcoffset(datetime.now(UTC)) is not None


def test_durations() -> None:
    """Four units, and nothing may stand without one but nothing itself."""
    assert [parse_duration_ms(text) for text in ("30s", "15m", "48h", "10d", 0)] == [
        30_000,
        900_000,
        172_800_000,
        864_000_000,
        0,
    ]
    for wrong in ("5", 5, "1w", "-1s", "1.5h", "", None, True, "99999d", "30 s"):
        with pytest.raises(ValueError, match="expected"):
            parse_duration_ms(wrong)
