"""``triggers publish --check``: a report on standard output, an exit code, and no broker."""

from pathlib import Path

import orjson
import pytest

from app.cli import main
from app.publish.check.summary import REPEATED
from tests.unit.contracts.judging import SHIPPED_TYPES, shipped_example

NOWHERE = ["--bootstrap", "127.0.0.1:1"]


def write(path: Path, *lines: bytes) -> str:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return str(path)


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def line(name: str, **changed: object) -> bytes:
    return orjson.dumps({"topic": "orders"} | shipped_example(name) | changed)


def test_a_clean_file_is_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One event of each type; they are counted."""
    lines = [
        orjson.dumps({"topic": topic} | shipped_example(name)) for topic, name in SHIPPED_TYPES
    ]
    path = write(tmp_path / "events.jsonl", *lines)

    assert main(["publish", "--check", path, *NOWHERE]) == 0
    first, last = shown(capsys)
    assert first.startswith("events: bookings/booking_cancelled 1, ")
    assert last == f"{len(lines)} lines: {len(lines)} clean, 0 with warnings, 0 with errors"


def test_warnings_alone_are_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are printed a few times each and counted all the same."""
    lines = [line("shipped", data={"colour": "red"})] * 50
    path = write(tmp_path / "events.jsonl", *lines)

    assert main(["publish", path, "--check", *NOWHERE]) == 0
    *told, events, kind, total = shown(capsys)
    warning = "warning: data.colour: expected a known field; it is not kept"
    assert told == [
        f"{path}:{number}: {warning}, found text of 3 characters"
        for number in range(1, REPEATED + 1)
    ]
    assert events == "events: orders/shipped 50"
    assert kind == "warning 50 times: data.colour: expected a known field; it is not kept"
    assert total == "50 lines: 0 clean, 50 with warnings, 0 with errors"


def test_all_errors_are_reported_with_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With file and line in front, as editors jump to."""
    lines = [line("shipped", event_id=""), b"{", line("shipped")]
    path = write(tmp_path / "events.jsonl", *lines * 30)

    assert main(["publish", "--check", path, *NOWHERE]) == 2
    *told, _, first, second, total = shown(capsys)
    assert len(told) == 60
    assert told[0].startswith(f"{path}:1: error: event_id: expected text of 1..128 characters")
    assert told[1].startswith(f"{path}:2: error: expected JSON, found ")
    assert {first, second} == {
        "error 30 times: event_id: expected text of 1..128 characters",
        "error 30 times: expected JSON",
    }
    assert total == "90 lines: 30 clean, 0 with warnings, 60 with errors"


def test_rules_say_which_keys_are_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those given; by default those in use."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "version: 1\nchannels: {email: {requires: email}}\ntriggers: {lost: {kind: abandonment,"
        " start: [shipped], key: order_id, after: 1h, template: x, channels: [email]}}\n"
    )
    path = write(tmp_path / "events.jsonl", line("shipped", data={}))

    assert main(["publish", "--check", path]) == 0
    capsys.readouterr()
    assert main(["publish", "--check", path, "--rules", str(rules)]) == 2
    assert "data.order_id: expected text or an integer, because trigger lost" in shown(capsys)[0]


def test_times_are_asked_for_when_they_will_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `publish --timestamps occurred_at` would refuse is an error with it."""
    path = write(tmp_path / "events.jsonl", b'{"topic": "profiles", "key": "c", "value": null}')

    assert main(["publish", "--check", path]) == 0
    assert main(["publish", "--check", path, "--timestamps", "occurred_at"]) == 2
    assert "timestamp: expected one" in capsys.readouterr().out


def test_warnings_about_the_file_as_a_whole_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line of it is clean."""
    lines = [line("shipped", event_id="x", data={"order_id": order}) for order in ("a", "b")]
    path = write(tmp_path / "events.jsonl", *lines)

    assert main(["publish", "--check", path, *NOWHERE]) == 0
    first, *_, last = shown(capsys)
    assert first.startswith(f"warning: {path}:2: has the event_id of another event (line 1)")
    assert last.endswith(
        "2 clean, 0 with warnings, 0 with errors; warnings about the file as a whole: 1"
    )
