"""What a line of JSON says is to be published; nothing here needs a broker."""

import gzip
import io
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.core.errors import ConfigError, EventError
from app.formats.json_lines import MAX_LINE_BYTES, open_lines
from app.publish.lines import Outgoing, Timestamps, outgoing

EVENT: dict[str, Any] = {
    "event_id": "e-1",
    "type": "cart_updated",
    "customer_id": "c-1",
    "occurred_at": "2025-11-22T01:13:20.123Z",
    "data": {"cart_id": "k-1"},
}
OCCURRED_MS = 1_763_774_000_123
RECORD: dict[str, Any] = {"topic": "orders", "key": "c-1", "value": EVENT}


def parse(obj: object, timestamps: Timestamps = "now") -> Outgoing:
    """The record in the object's JSON."""
    return outgoing(orjson.dumps(obj), timestamps)


def test_a_record_goes_out_as_it_is() -> None:
    """Value as JSON, key and headers as UTF-8; whether it is an event is for the engine to say."""
    assert parse(RECORD | {"value": {"né": 1}, "key": "ключ", "headers": {"a": "ß"}}) == Outgoing(
        topic="orders",
        key="ключ".encode(),
        value='{"né":1}'.encode(),
        headers=(("a", "ß".encode()),),
    )


def test_a_null_value_is_a_tombstone_and_a_null_key_none() -> None:
    """A null value is published as null; a null key as no key."""
    assert parse({"topic": "profiles", "key": "c-1", "value": None}) == Outgoing(
        topic="profiles", key=b"c-1", value=None
    )
    assert parse(RECORD | {"key": None}).key is None


def test_an_event_with_its_topic_goes_out_as_its_envelope() -> None:
    """Keyed by the customer, at its arrival or else when it occurred: the form of a backtest."""
    outgoing = parse({"topic": "orders", **EVENT})

    assert outgoing == Outgoing(
        topic="orders", key=b"c-1", value=orjson.dumps(EVENT), timestamp_ms=OCCURRED_MS
    )
    assert parse({"topic": "orders", **EVENT, "arrived_at": 17}).timestamp_ms == 17
    assert parse({"topic": "orders", **EVENT, "arrived_at": 17}).value == outgoing.value


@pytest.mark.parametrize(
    ("changed", "timestamps", "expected_ms"),
    [
        ({}, "now", None),
        ({}, "occurred_at", OCCURRED_MS),
        ({"timestamp": 5}, "now", 5),
        ({"timestamp": "1970-01-01T01:00:00.005+01:00"}, "occurred_at", 5),
        ({"arrived_at": 6}, "occurred_at", 6),
    ],
)
def test_a_record_is_stamped_as_asked(
    changed: dict[str, Any], timestamps: Timestamps, expected_ms: int | None
) -> None:
    """Its own time first, then what the caller chose; None is the time of publishing."""
    assert parse(RECORD | changed, timestamps).timestamp_ms == expected_ms


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "expected JSON, got "),
        (b"[]", "expected a JSON object"),
        (b"{}", "topic: expected one of profiles, orders, bookings, engagement, got nothing"),
        (b'{"topic": "order"}', "topic: expected one of profiles, orders, bookings, engagement"),
        (b'{"topic": ["orders"]}', "topic: expected one of "),
        (b'{"topic": "orders"}', "event_id: expected "),
        (orjson.dumps({**RECORD, "keys": "c"}), "expected only "),
        (orjson.dumps({**RECORD, "key": 7}), "key: expected text or null"),
        (orjson.dumps({**RECORD, "value": "{}"}), "value: expected an object or null"),
        (orjson.dumps({**RECORD, "headers": {"a": 1}}), "headers: expected "),
        (orjson.dumps({**RECORD, "headers": ["a"]}), "headers: expected "),
        (orjson.dumps({**RECORD, "timestamp": "noon"}), "timestamp: "),
        (orjson.dumps({**RECORD, "timestamp": None}), "timestamp: expected "),
        (orjson.dumps({**RECORD, "arrived_at": 0}), "arrived_at: expected a time after 1970"),
        (orjson.dumps({"topic": "orders", **EVENT, "occurred_at": 1.5}), "occurred_at: expected"),
        (b" " * (MAX_LINE_BYTES + 1), "expected a line of at most "),
    ],
)
def test_a_bad_line_says_what_was_expected(line: bytes, problem: str) -> None:
    """The error names the field and its expected value."""
    with pytest.raises(EventError, match=r"expected|RFC 3339") as caught:
        outgoing(line)
    assert str(caught.value).startswith(problem)


def test_a_tombstone_has_no_time_of_its_own() -> None:
    """Stamped with the publisher's clock it would end a rehearsal: a time is asked for."""
    with pytest.raises(EventError, match="timestamp: expected one"):
        parse({"topic": "profiles", "key": "c-1", "value": None}, "occurred_at")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_lines_are_read_plain_or_packed(pack: Any, tmp_path: Path) -> None:
    """Recognised by the first bytes, not by the name; blank lines count, line ends do not."""
    path = tmp_path / "events"
    data = pack(b"\xef\xbb\xbf{}\r\n\n" + b"x" * (3 * MAX_LINE_BYTES) + b"\n[1]\nlast")
    path.write_bytes(data)

    with open_lines(path) as lines:
        assert list(lines) == [b"{}", b"", b"x" * (MAX_LINE_BYTES + 1), b"[1]", b"last"]
        assert lines.read_bytes == lines.total_bytes == len(data)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_is_read(pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``-``, and it stays open."""
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(pack(b"a\nb\n"))))
    monkeypatch.setattr("sys.stdin", stdin)

    with open_lines("-") as lines:
        assert list(lines) == [b"a", b"b"]
        assert (lines.name, lines.read_bytes, lines.total_bytes) == ("standard input", 4, None)
    assert not stdin.buffer.closed


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, a folder, or packed and cut short."""
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(b"a\n" * 100_000)[:-20])

    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(ConfigError, match="cannot be read"):
            open_lines(path)
    with open_lines(cut) as lines, pytest.raises(ConfigError, match=r"cut\.gz, after line \d"):
        list(lines)
