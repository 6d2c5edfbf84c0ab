"""Results as the tables of a document."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bench.report import BEGIN, END, main, placed, read, tables


def compared(host: str, cpu_us: float, customers: int, **more: Any) -> str:
    """A line of a comparison."""
    line = {
        "host": host,
        "customers": customers,
        "events": 60_000,
        "rounds": 2,
        "cpu_us_per_event": cpu_us,
        "cpu_us_per_event_range": [cpu_us - 1, cpu_us + 1],
        "events_per_s": 9_000,
        "peak_rss_mb": 300,
        "load_s": 50.0,
        "others_percent": 0.5,
    }
    return json.dumps(line | more)


def row(text: str, begins: str) -> list[str]:
    """The cells of the one row that begins so."""
    (found,) = [line for line in text.splitlines() if line.startswith(f"| {begins}")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_hosts_of_one_file_are_put_in_relation() -> None:
    """Several files give several figures, of which the median counts."""
    files = [
        read(
            "words before\n"
            + compared("floor", floor_us, 1_000_000)
            + "\n"
            + compared("ours_exactly_once", 60.0, 1_000_000)
        )
        for floor_us in (30.0, 20.0, 25.0)
    ]
    found = tables(files)
    assert row(found, "CPU of a worker")[2:] == ["2.0, 3.0, 2.4", "yes"]
    assert row(found, "the same core on Quix")[2:] == ["-", "-"]
    assert row(found, "catching up")[2:] == ["20,000, 20,000, 20,000", "-"]
    few = read(compared("floor", 10.0, 1_000) + "\n" + compared("ours_exactly_once", 60.0, 1_000))
    assert row(tables([few]), "CPU of a worker")[2:] == ["-", "-"]


def test_a_figure_is_of_the_core_that_it_names() -> None:
    line = {"host": "backtest", "core": "pure Python", "events_per_cpu_s": 20_000}
    found = tables([read(json.dumps(line))])
    assert row(found, "`backtest`, as Python")[2:] == ["20,000", "no"]
    assert row(found, "`backtest`, compiled")[2:] == ["-", "-"]


def test_hosts_that_did_not_run_have_no_row() -> None:
    text = json.dumps({"host": "quix", "missing": "not installed"})
    assert "quix" not in tables([read(text), read(compared("ours", 60.0, 100))])


def test_only_what_is_between_the_marks_is_written(tmp_path: Path) -> None:
    document, results = tmp_path / "doc.md", tmp_path / "results"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    results.write_text(compared("ours", 60.0, 100))
    assert main([str(document), str(results)]) == 0
    text = document.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"\n{END}\nafter\n")
    assert "old" not in text
    assert "| 100 | 60,000 | 2 | ours | 60.0 (59.0 to 61.0) | 9,000 | 300 | 0.5 |" in text
    with pytest.raises(ValueError, match="begin"):
        placed("no marks", "")
