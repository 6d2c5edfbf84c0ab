"""Large files in bounded memory: what does not fit goes to disk, and changes nothing."""

from pathlib import Path

import orjson
import pytest

from app.cli import main
from tests.bench.outcomes import kpis

OUTCOMES = 800_000


def test_memory_keeps_to_its_limit(tmp_path: Path) -> None:
    """600 MB of files in 200 MB (and the interpreter with its libraries, which take 100 MB more);
    the figures are those with plenty.
    """
    small = kpis(tmp_path, OUTCOMES, "--memory", "200MB", "--by", "trigger")
    printed = orjson.loads((tmp_path / "report.json").read_bytes())
    large = kpis(tmp_path, OUTCOMES, "--by", "trigger")
    assert orjson.loads((tmp_path / "report.json").read_bytes()) == printed
    assert small["outcomes"] >= OUTCOMES
    print(f"\n{small['mb']} MB of files, peak {small['peak_rss_mb']} MB; {large['peak_rss_mb']} MB")
    assert small["peak_rss_mb"] < 380
    assert small["peak_rss_mb"] < large["peak_rss_mb"]


def test_a_limit_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bad usage."""
    command = ["kpis", "--decisions", str(tmp_path), "--outcomes", str(tmp_path)]
    assert main([*command, "--memory", "much"]) == 2
    assert "--memory" in capsys.readouterr().err
