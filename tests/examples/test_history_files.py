"""Event files as publishers hand them over, and what ``backtest`` and ``publish --check`` say."""

from pathlib import Path

import orjson
import pytest

from app.cli import main

CASES = Path(__file__).parent / "cases"


def told(case: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The first line that both commands print about the file."""
    rules, events = str(case / "rules.yaml"), str(case / "events.jsonl")
    assert main(["publish", "--check", events, "--rules", rules]) == 0
    checked = capsys.readouterr().out.splitlines()
    assert main(["backtest", "--rules", rules, "--events", events, "--out", str(out)]) == 0
    ran = capsys.readouterr().out.splitlines()
    warnings = [[line for line in each if line.startswith("warning: ")] for each in (checked, ran)]
    assert warnings[0] == warnings[1] == ran[: len(warnings[1])]
    return "\n".join(warnings[0]).replace(events, "FILE")


def test_one_phone_in_2099(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line that drags now along is named, with how far it leads."""
    text = told(CASES / "06-one-phone-in-2099", tmp_path, capsys)
    assert text.startswith("warning: FILE:4: lies 73 years ahead of the lines around it")
    assert text.count("warning") == 1


def test_cloud_events_are_decided_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line in record form with headers is what publish makes of it."""
    assert told(CASES / "18-cloudevents-history", tmp_path, capsys) == ""
    (sent,) = (tmp_path / "dispatch.jsonl").read_bytes().splitlines()
    assert orjson.loads(sent)["tokens"] == {"o": "o-7001"}


def test_a_file_in_epoch_seconds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One remark for the file: all its lines lie in January 1970."""
    text = told(CASES / "39-a-file-in-epoch-seconds", tmp_path, capsys)
    assert "on 5 of 5 lines: epoch seconds, expected epoch milliseconds" in text
    assert text.count("warning") == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'[{"topic": "orders"}]', "expected JSON lines, got a JSON array"),
        (b"topic,event_id\norders,e1\n", "expected JSON lines, got a table"),
        (b'{"topic": "orders"}\n{"topic": "orders"}\n', "none of 2 records could be read"),
    ],
)
def test_a_file_of_which_nothing_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, problem: str
) -> None:
    """It is bad input, not a success without messages."""
    events = tmp_path / "events"
    events.write_bytes(content)
    rules = str(CASES / "18-cloudevents-history" / "rules.yaml")
    out = str(tmp_path / "out")
    assert main(["backtest", "--rules", rules, "--events", str(events), "--out", out]) == 2
    assert problem in capsys.readouterr().err
    assert main(["publish", "--check", str(events), "--rules", rules]) == 2
