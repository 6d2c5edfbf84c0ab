"""``triggers backtest`` and ``triggers validate`` as their users run them."""

import gzip
import io
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.cli import main
from app.core.events import MAX_DATA_LEVELS

T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z
MINUTE = 60_000

RULES = """
version: 1
triggers:
  cart: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [order_placed],
         after: 30m, template: reminder, channels: [email], tokens: {cart: event.cart_id}}
  thanks: {kind: event, on: [order_placed], category: transactional, template: thanks,
           channels: [email]}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A small rules file."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def line(topic: str, name: str, at_ms: int, customer: str = "ann", **data: Any) -> dict[str, Any]:
    """One line of history."""
    return {
        "topic": topic,
        "event_id": f"{name}-{customer}-{at_ms}",
        "type": name,
        "customer_id": customer,
        "occurred_at": at_ms,
        "data": data,
    }


PROFILE = line("profiles", "profile_updated", T0, email="ann@example.com", locale="de-AT")
CART = line("orders", "cart_updated", T0 + MINUTE, cart_id="c1")


def written(*lines: Any) -> bytes:
    """Lines as a file has them; bytes go in as they are."""
    return b"\n".join(item if isinstance(item, bytes) else orjson.dumps(item) for item in lines)


def backtest(rules: Path, tmp_path: Path, content: bytes, *options: str) -> Path:
    """Run over one file; returns the folder."""
    events = tmp_path / "events.jsonl"
    events.write_bytes(content)
    out = tmp_path / "out"
    command = ["backtest", "--rules", str(rules), "--events", str(events), "--out", str(out)]
    assert main([*command, *options]) == 0
    return out


def read(path: Path) -> list[dict[str, Any]]:
    """A file of JSON lines."""
    return [orjson.loads(text) for text in path.read_bytes().splitlines()]


def test_decisions_and_send_requests_are_written_whole(rules: Path, tmp_path: Path) -> None:
    """Every field that the contract names is there, times as RFC 3339 UTC with milliseconds."""
    out = backtest(rules, tmp_path, written(PROFILE, CART), "--until", "2026-01-01T01:00:00Z")
    (decision,) = read(out / "decisions.jsonl")
    (request,) = read(out / "dispatch.jsonl")
    assert decision["outcome"] == "send"
    assert decision["due_at"] == "2026-01-01T00:31:00.000Z"
    assert decision["decided_at"] == "2026-01-01T00:31:05.000Z"
    assert decision["next_eligible_at"] is None
    assert [check["gate"] for check in decision["gates"]] == [
        "expired",
        "reach",
        "consent",
        "suppressed",
    ]
    assert request == {
        "request_id": decision["request_id"],
        "kind": "send",
        "customer_id": "ann",
        "trigger": "cart",
        "step": 0,
        "key": "c1",
        "category": "marketing",
        "priority": 50,
        "channel": "email",
        "address": "ann@example.com",
        "template": "reminder",
        "locale": "de-AT",
        "tokens": {"cart": "c1"},
        "experiment": None,
        "due_at": "2026-01-01T00:31:00.000Z",
        "decided_at": "2026-01-01T00:31:05.000Z",
        "expires_at": "2026-01-02T00:31:00.000Z",
        "rules_version": decision["rules_version"],
        "cause": {
            "topic": "orders",
            "partition": None,
            "offset": 1,
            "event_id": CART["event_id"],
        },
    }


def test_without_until_the_clock_stops_at_the_last_record(rules: Path, tmp_path: Path) -> None:
    """A timer that no record's arrival has passed does not fire."""
    out = backtest(rules, tmp_path, written(PROFILE, CART))
    assert read(out / "decisions.jsonl") == []


def test_gzip_standard_input_and_several_files(
    rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The three give what one plain file gives: files are merged by arrival."""
    order = line("orders", "order_placed", T0 + 2 * MINUTE, cart_id="c1")
    plain = backtest(rules, tmp_path, written(PROFILE, CART, order))
    expected = (plain / "dispatch.jsonl").read_bytes()
    assert len(read(plain / "dispatch.jsonl")) == 1
    zipped = tmp_path / "events.gz"
    zipped.write_bytes(gzip.compress(written(PROFILE, order)))
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(written(CART))))
    monkeypatch.setattr(sys, "stdin", stdin)
    out = tmp_path / "merged"
    command = ["backtest", "--rules", str(rules), "--events", str(zipped), "-"]
    assert main([*command, "--out", str(out)]) == 0
    merged = read(out / "dispatch.jsonl")
    assert [m["request_id"] for m in merged] == [orjson.loads(expected)["request_id"]]


def test_bad_lines_are_dead_letters_and_reported(
    rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run goes on; each bad line is kept with its number and what was expected."""
    bad = [
        b"not json",
        b"[]",
        orjson.dumps(PROFILE | {"topic": "weather", "event_id": "w"}),
        orjson.dumps(PROFILE | {"occurred_at": "yesterday"}),
        orjson.dumps(PROFILE | {"event_id": "z", "data": {"timezone": "Mars/Olympus"}}),
        orjson.dumps(line("orders", "cart_updated", T0)),
        b"x" * 300_000,
    ]
    out = backtest(rules, tmp_path, written(PROFILE, b"", *bad, CART), "--until", str(T0 + 10**7))
    dead = read(out / "dead-letters.jsonl")
    assert [(d["line"], d["reason"]) for d in dead] == [
        (3, "not_json"),
        (4, "not_object"),
        (5, "topic"),
        (6, "envelope"),
        (7, "profile"),
        (8, "missing_key"),
        (9, "too_large"),
    ]
    assert len(read(out / "dispatch.jsonl")) == 1
    assert "line 3: not_json" in capsys.readouterr().err


def test_what_is_read_can_be_written(rules: Path, tmp_path: Path) -> None:
    """The deepest data that is read goes through state, decisions and requests; deeper is dead."""

    def deep(levels: int) -> Any:
        value: Any = "x"
        for number in range(levels - 1):
            value = [value] if number % 2 else {"a": value}
        return value

    rules.write_text(
        RULES.replace(
            "{cart: event.cart_id}", "{items: event.items, note: profile.attributes.note}"
        )
    )
    lines = []
    for place, levels in enumerate((MAX_DATA_LEVELS - 1, MAX_DATA_LEVELS, MAX_DATA_LEVELS + 1)):
        at_ms, customer = T0 + place, f"c{place}"
        note = {"note": deep(levels - 1)}
        lines += [
            line("profiles", "profile_updated", at_ms, customer, email="a@b.c"),
            line("profiles", "profile_updated", at_ms + 10, customer, attributes=note),
            line("orders", "cart_updated", at_ms + 20, customer, cart_id="k", items=deep(levels)),
        ]
    out = backtest(rules, tmp_path, written(*lines), "--until", str(T0 + 10**7))
    assert [d["line"] for d in read(out / "dead-letters.jsonl")] == [8, 9]
    tokens = [each["tokens"] for each in read(out / "dispatch.jsonl")]
    assert tokens == [
        {"items": deep(levels), "note": deep(levels - 1)}
        for levels in (MAX_DATA_LEVELS - 1, MAX_DATA_LEVELS)
    ]


def test_a_null_profile_erases(rules: Path, tmp_path: Path) -> None:
    """An erased customer gets no message; later events begin a new record."""
    gone = {"topic": "profiles", "key": "ann", "value": None, "arrived_at": T0 + 2 * MINUTE}
    out = backtest(rules, tmp_path, written(PROFILE, CART, gone), "--until", str(T0 + 10**7))
    assert read(out / "decisions.jsonl") == []


def test_an_outage_reads_the_purchase_before_the_reminder(rules: Path, tmp_path: Path) -> None:
    """The worker that comes back reads its backlog first: no reminder after the purchase."""
    order = line("orders", "order_placed", T0 + 20 * MINUTE, cart_id="c1")
    history = written(PROFILE, CART, order)
    options = ("--outage", f"{T0 + 10 * MINUTE}/{T0 + 70 * MINUTE}", "--until", str(T0 + 10**7))
    out = backtest(rules, tmp_path, history, *options)
    assert [d["trigger"] for d in read(out / "decisions.jsonl")] == ["thanks"]


@pytest.mark.parametrize(
    "options",
    [
        ["--until", "tomorrow"],
        ["--outage", "1"],
        ["--outage", "5/4"],
        ["--grace", "5"],
        ["--events", "nowhere.jsonl"],
        ["--rules", "nowhere.yaml"],
    ],
)
def test_bad_usage_exits_2(rules: Path, tmp_path: Path, options: list[str]) -> None:
    """A clear message and no traceback."""
    events = tmp_path / "events.jsonl"
    events.write_bytes(written(PROFILE))
    command = ["backtest", "--rules", str(rules), "--events", str(events)]
    assert main([*command, "--out", str(tmp_path / "out"), *options]) == 2


def test_validate_says_what_is_wrong(
    rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0 for a valid file, 2 with every problem for a wrong one."""
    assert main(["validate", str(rules)]) == 0
    assert "2 triggers" in capsys.readouterr().out
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("version: 1\ntriggers: {a: {kind: event}}\n")
    assert main(["validate", str(wrong)]) == 2
    assert "triggers.a.on: expected to be there" in capsys.readouterr().err


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_earlier_history_is_known_and_not_decided(
    rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], jobs: str
) -> None:
    """What was due before the first event is left, what is due later is decided; later lines of
    the state are left out.
    """
    state = tmp_path / "state.jsonl"
    order = line("orders", "order_placed", T0 + 2 * MINUTE, value=3)
    early = line("orders", "cart_updated", T0 - 60 * MINUTE, cart_id="c0")
    after = line("orders", "order_placed", T0 + 90 * MINUTE, value=4)
    state.write_bytes(written(PROFILE, early, CART, order | {"customer_id": "bob"}, after))
    main = written(line("orders", "product_viewed", T0 + 20 * MINUTE), b"")
    options = ["--state-from", str(state), "--until", "2026-01-01T01:00:00Z", "--jobs", jobs]
    out = backtest(rules, tmp_path, main, *options)
    assert "state: 4 (applied 4)" in capsys.readouterr().out
    (decision,) = read(out / "decisions.jsonl")
    assert (decision["key"], decision["outcome"]) == ("c1", "send")
    assert decision["due_at"] == "2026-01-01T00:31:00.000Z"
