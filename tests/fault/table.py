"""The table at the end of a run: what each case did, and what the observer counted."""

from typing import Final, NamedTuple

import pytest

_HEADS: Final = ("case", "events", "kills", "lost", "duplicated", "wrong", "longest stall")


class Row(NamedTuple):
    """One case. ``kills`` counts kills, stops, cuts and damages; ``stall_s`` is the longest time in
    which no new decision became visible, between the first and the last.
    """

    case: str
    events: int
    kills: int
    lost: int
    duplicated: int
    wrong: int
    stall_s: float


#: The property of a test's report that its row is.
PROPERTY: Final = "faults"


def show(reporter: pytest.TerminalReporter) -> None:
    """Write the table of all cases that were run, in whatever process."""
    rows = [
        Row(*value)
        for reports in reporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if rows:
        reporter.section("faults")
        for line in _lines(rows):
            reporter.line(line)


def _lines(rows: list[Row]) -> list[str]:
    """The table as text, aligned."""
    cells = [_HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(each[column]) for each in cells) for column in range(len(_HEADS))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(each, widths, strict=True))
        )
        for each in cells
    ]


def _cells(row: Row) -> tuple[str, ...]:
    counts = (row.events, row.kills, row.lost, row.duplicated, row.wrong)
    return (row.case, *(f"{count:,}" for count in counts), f"{row.stall_s:.1f} s")
