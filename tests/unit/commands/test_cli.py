"""The command line: what it understands, and the exit codes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import READERS, _parser, main
from app.commands._options import settings_from
from app.compiled import core_kind
from app.version import ENGINE_VERSION

ROOT = Path(__file__).parents[3]
RULES = """\
version: 1
channels: {email: {requires: email}}
triggers:
  thanks: {kind: event, on: [order_placed], template: thanks, channels: [email]}
"""


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of whoever runs the tests do not matter."""
    for name in [name for name in os.environ if name.startswith("TRIGGER_")]:
        monkeypatch.delenv(name)


def run(*args: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *args],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard output, with 0, and whether the core is compiled."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"triggers {ENGINE_VERSION} ({core_kind()})\n"


@pytest.mark.parametrize("args", [[], ["no-such"], ["topics"], ["publish"], ["worker", "--x"]])
def test_bad_usage_is_two(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """And standard error says how it is used."""
    assert main(args) == 2
    assert "usage: triggers" in capsys.readouterr().err


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """Each module of the commands folder brings its own."""
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in ("worker", "topics", "publish"))


def test_help_of_a_command_has_single_percent_signs(capsys: pytest.CaptureFixture[str]) -> None:
    """argparse fills in the texts of options, and leaves a description as it is."""
    assert main(["kpis", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "95 % interval" in shown
    assert "%%" not in shown


def test_help_lists_every_command_under_its_reader(capsys: pytest.CaptureFixture[str]) -> None:
    """Each once; a new command has to be given a place."""
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    listed = [name for names in READERS.values() for name in names]
    (action,) = [each for each in _parser()._actions if each.dest == "command"]
    assert sorted(listed) == sorted(action.choices or ())
    places = [shown.index(f"\n  {reader}\n") for reader in READERS]
    assert places == sorted(places)


def test_wrong_settings_are_two(capsys: pytest.CaptureFixture[str]) -> None:
    """Options and variables alike, before anything is started."""
    assert main(["worker", "--clock", "sundial", "--grace", "5"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("triggers: the settings are wrong:\n")
    assert "TRIGGER_CLOCK: got 'sundial', expected one of wall, records" in shown
    assert "TRIGGER_GRACE: got '5'" in shown


def test_an_option_overrides_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """What neither gives keeps its default."""
    parsed = {"variable:TRIGGER_WEB_PORT": "7070", "variable:TRIGGER_GRACE": None, "file": "x"}
    args = type("Args", (), {})()
    args.__dict__.update(parsed)

    settings = settings_from(args, {"TRIGGER_WEB_PORT": "1", "TRIGGER_APP_ID": "a"})

    assert (settings.web_port, settings.app_id, settings.grace_ms) == (7070, "a", 5000)


def test_a_missing_file_is_two(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Named, with what the system says."""
    assert main(["publish", str(tmp_path / "none")]) == 2
    assert "none: cannot be read: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "wrong"),
    [
        ("--since", "2026-06-02"),
        ("--since", "\N{SUPERSCRIPT TWO}"),
        ("--since", "--5"),
        ("--since", "9" * 5000),
        ("--last", "-1"),
        ("--last", "\N{SUPERSCRIPT TWO}"),
    ],
)
def test_a_wrong_option_is_repeated_with_what_was_expected(
    option: str, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever typed it sees it, and an example or a bound."""
    assert main(["explain", "ann", f"{option}={wrong}"]) == 2
    error = capsys.readouterr().err
    assert option in error
    assert repr(wrong[:80]) in error
    assert "2026-03-01T00:00:00Z" in error or "from 0 on" in error


def test_partitions_of_validate_are_a_positive_number(capsys: pytest.CaptureFixture[str]) -> None:
    """None, or fewer, would pass every rate."""
    assert main(["validate", "--partitions", "0", "rules.yaml"]) == 2
    assert "expected a number from 1 on, got '0'" in capsys.readouterr().err


def test_bad_lines_are_two(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """File and line number in front, as editors jump to; no broker is asked."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'\n{"topic": "order"}\n')

    assert main(["publish", str(path), "--bootstrap", "127.0.0.1:1"]) == 2
    shown = capsys.readouterr().err
    assert f"{path}:2: topic: expected one of profiles, " in shown
    assert "nothing was published" in shown


@pytest.mark.parametrize("unbuffered", ["1", ""])
def test_a_reader_that_goes_away_is_no_traceback(unbuffered: str, tmp_path: Path) -> None:
    """As with ``| head``: whether the pipe is found closed at a line or at the end."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", "validate", str(rules)],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=300,
        )
    assert (done.returncode, done.stderr) == (141, "")


def test_it_runs_as_a_program() -> None:
    """With the exit code of main."""
    assert run("topics", "check", TRIGGER_BOOTSTRAP_SERVERS="nowhere").returncode == 2
