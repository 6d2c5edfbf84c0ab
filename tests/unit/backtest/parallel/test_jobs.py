"""``triggers backtest --jobs`` as its users run it: real processes, real signals."""

import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import orjson
import psutil
import pytest

from app.backtest.parallel.cores import usable_cores
from app.cli import main
from app.settings.model import default_rules_path
from tests.bench.events import START_MS, events, profiles

DAY = 86_400_000
CUSTOMERS = 300
EVENTS = 6000
WAIT_S = 600


def history(seed: int = 5) -> list[bytes]:
    """Profiles and events with what goes wrong: late, twice, erased, not to be understood."""
    dice = Random(seed)
    lines = [*profiles(CUSTOMERS), *events(EVENTS, CUSTOMERS)]
    found: list[bytes] = []
    for line in lines:
        event: dict[str, Any] = orjson.loads(line)
        match dice.randrange(40):
            case 0:
                found.append(dice.choice([b"", b"{", b"[]", b'{"topic":"weather"}', b"\xff"]))
            case 1:
                event["arrived_at"] = event["occurred_at"] + dice.randrange(3 * DAY)
            case 2:
                event |= {"topic": "profiles", "type": "profile_updated", "data": {"birthday": "x"}}
            case 3:
                found.append(line)
            case 4:
                found.append(dice.choice(found or [line]))
            case 5 if dice.random() < 0.2:
                event = {"topic": "profiles", "key": event["customer_id"], "value": None}
        found.append(orjson.dumps(event))
    return found


def backtest(out: Path, jobs: int, files: list[Path], *options: str) -> dict[str, bytes]:
    """Run the command; all that it leaves and prints."""
    command = [sys.executable, "-m", "app.cli", "backtest", "--rules", str(default_rules_path())]
    command += ["--events", "-", *map(str, files), "--out", str(out), "--jobs", str(jobs)]
    with (out.parent / "stdin.jsonl").open("rb") as stdin:
        ran = subprocess.run(
            [*command, *options], stdin=stdin, capture_output=True, check=True, timeout=WAIT_S
        )
    said = (ran.stdout + ran.stderr).replace(str(out).encode(), b"OUT")
    return {path.name: path.read_bytes() for path in out.iterdir()} | {"said": said}


@pytest.mark.parametrize(
    "options",
    [
        ["--until", str(START_MS + 60 * DAY)],
        ["--outage", f"{START_MS + 10 * DAY}/{START_MS + 11 * DAY}", "--grace", "1m"],
    ],
)
def test_output_bytes_are_the_same_for_any_number_of_jobs(
    tmp_path: Path, options: list[str]
) -> None:
    """Default rules, thousands of events of two files, one of them gzip, one standard input."""
    (tmp_path / "stdin.jsonl").write_bytes(b"\n".join(history()))
    zipped = tmp_path / "events.gz"
    zipped.write_bytes(gzip.compress(b"\n".join(history(6)[CUSTOMERS:])))
    one = backtest(tmp_path / "1", 1, [zipped], *options)
    assert len(one["decisions.jsonl"].splitlines()) > EVENTS / 2
    assert len(one["outcomes.jsonl"].splitlines()) > EVENTS / 40
    assert len(one["dead-letters.jsonl"].splitlines()) > EVENTS / 30
    assert backtest(tmp_path / "2", 2, [zipped], *options) == one
    assert backtest(tmp_path / "3", 3, [zipped], *options) == one


@contextmanager
def waiting_for_input(
    tmp_path: Path,
) -> Iterator[tuple[subprocess.Popen[bytes], list[psutil.Process]]]:
    """A backtest in two processes that has read some of its input, and these two."""
    command = [sys.executable, "-m", "app.cli", "backtest", "--rules", str(default_rules_path())]
    command += ["--events", "-", "--out", str(tmp_path / "out"), "--jobs", "2"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdin is not None
        try:
            for line in events(20_000, CUSTOMERS):
                process.stdin.write(line + b"\n")
            process.stdin.flush()
            shards = psutil.Process(process.pid).children()
            assert len(shards) == 2
            yield process, shards
            _, alive = psutil.wait_procs(shards, timeout=WAIT_S)
            assert alive == []
        finally:
            process.kill()


def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    """A terminal sends it to all of them: one exit code, and not a word."""
    with waiting_for_input(tmp_path) as (process, _):
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(WAIT_S) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_process_that_dies_ends_the_command(tmp_path: Path) -> None:
    """With which one it was, what ended it and what to do."""
    with waiting_for_input(tmp_path) as (process, shards):
        shards[1].send_signal(signal.SIGKILL)
        _, said = process.communicate(timeout=WAIT_S)
        assert process.returncode == 1
        assert b"process 2 of 2 of the backtest was ended by signal 9" in said
        assert b"--jobs" in said


def test_shards_end_when_the_reader_is_killed(tmp_path: Path) -> None:
    """They find the end of their input, though nothing could tell them."""
    with waiting_for_input(tmp_path) as (process, _):
        process.send_signal(signal.SIGKILL)
        assert process.wait(WAIT_S) == -signal.SIGKILL


@pytest.mark.parametrize("jobs", ["0", "-1", "many"])
def test_jobs_that_cannot_be_are_bad_usage(
    jobs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and what was expected."""
    command = ["backtest", "--rules", "r", "--events", "e", "--out", str(tmp_path), "--jobs", jobs]
    assert main(command) == 2
    assert "expected a number from 1 on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "20000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_a_containers_limit_counts(
    files: dict[str, str], cores: int | None, tmp_path: Path
) -> None:
    """Of both cgroup versions; without a limit it is what this process may use."""
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert usable_cores(tmp_path) == (cores or len(os.sched_getaffinity(0)))
