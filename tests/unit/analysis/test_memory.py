"""Large files in bounded memory: what does not fit goes to disk, and changes nothing."""

from pathlib import Path

import orjson
import pytest

from app.cli import main
from tests.bench.outcomes import kpis

OUTCOMES = 800_000


def figures(folder: Path) -> dict[tuple[str, str], dict[str, float]]:
    """Every number of the report, by group and KPI."""
    groups = orjson.loads((folder / "report.json").read_bytes())["groups"]
    return {
        (group, kpi["name"]): {
            part: kpi[part] for part in ("value", "low", "high", "sample") if kpi[part] is not None
        }
        for group, kpis in groups.items()
        for kpi in kpis
    }


@pytest.mark.slow
def test_memory_keeps_to_its_limit(tmp_path: Path) -> None:
    """600 MB of files in 250 MB (and the interpreter with its libraries, which take 100 MB more);
    the figures are those with plenty.
    """
    small = kpis(tmp_path, OUTCOMES, "--memory", "250MB", "--by", "trigger")
    printed = figures(tmp_path)
    large = kpis(tmp_path, OUTCOMES, "--by", "trigger")
    plenty = figures(tmp_path)
    assert printed.keys() == plenty.keys()
    for name, figure in printed.items():
        # sums are added up in another order
        assert figure == pytest.approx(plenty[name], rel=1e-9), name
    assert small["outcomes"] >= OUTCOMES
    print(f"\n{small['mb']} MB of files, peak {small['peak_rss_mb']} MB; {large['peak_rss_mb']} MB")
    assert small["peak_rss_mb"] < 450
    assert small["peak_rss_mb"] < large["peak_rss_mb"]


def test_a_limit_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A limit that is no size is bad usage."""
    command = ["kpis", "--decisions", str(tmp_path), "--outcomes", str(tmp_path)]
    assert main([*command, "--memory", "much"]) == 2
    assert "--memory" in capsys.readouterr().err


def test_hardly_any_memory_is_an_error_that_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    command = ["kpis", "--decisions", str(empty), "--outcomes", str(empty)]
    assert main([*command, "--memory", "1KB"]) == 1
    assert "needs more memory, give it with --memory" in capsys.readouterr().err
