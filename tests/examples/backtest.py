"""The real backtest over lines: what it writes, for the examples."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from app.cli import main

#: Of a decision, what examples speak of; None in an example is not looked at.
FIELDS = ("customer_id", "trigger", "key", "step", "outcome", "reason", "channel", "decided_at")


def run_backtest(folder: Path, rules: Path, events: Path, *options: str) -> int:
    """The exit code; the output is in ``folder``."""
    return main(
        ["backtest", "--rules", str(rules), "--events", str(events), "--out", str(folder), *options]
    )


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON lines of a file."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def decisions_of(folder: Path) -> list[list[Any]]:
    """The decisions in order, each as its ``FIELDS``."""
    return [[made[name] for name in FIELDS] for made in read_lines(folder / "decisions.jsonl")]


def assert_decided(made: list[list[Any]], want: Iterable[Iterable[Any]]) -> None:
    """The same decisions for each customer and trigger in the same order, and all of them."""
    expected = [list(row) for row in want]
    shown = [
        [None if wanted is None else value for value, wanted in zip(row, row_wanted, strict=True)]
        for row, row_wanted in zip(made, expected, strict=False)
    ]
    assert [*shown, *made[len(expected) :]] == expected


def write_json_lines(path: Path, values: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line."""
    path.write_bytes(b"".join(orjson.dumps(value) + b"\n" for value in values))
