"""The report as text for people and as JSON for programs."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.analysis.kpis.kpi import Kpi, Unit
from app.analysis.kpis.report import Report
from app.core.time.instants import format_rfc3339


def report_json(report: Report) -> str:
    """Everything; instants RFC 3339 (``from``, ``to``)."""
    whole: dict[str, Any] = msgspec.to_builtins(report)
    for name in ("from", "to"):
        instant_ms = whole.pop(f"{name}_ms")
        whole[name] = None if instant_ms is None else format_rfc3339(instant_ms)
    return json.dumps(whole, indent=2, ensure_ascii=False)


def print_report(report: Report, console: Console) -> None:
    """A line about the data, then a table for each group."""
    console.print(Text(summary(report)))
    for group, kpis in report.groups.items():
        title = group_title(report, group)
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("KPI", overflow="fold")
        table.add_column("value", justify="right", no_wrap=True)
        table.add_column("95 % interval", justify="right", no_wrap=True)
        table.add_column("sample", overflow="fold")
        table.add_column("remark", overflow="fold")
        for kpi in kpis:
            cells = (kpi.label, value_text(kpi), interval_text(kpi), sample_text(kpi))
            table.add_row(*(Text(cell) for cell in (*cells, kpi.reason or "")))
        console.print(table)
    for note in notes(report):
        console.print(Text(note))


def group_title(report: Report, group: str) -> str:
    """``trigger: win_back, 1 204 messages and 61 held out, 900 customers``."""
    if report.by is None:
        return "All KPIs"
    size = report.sizes[group]
    members = "" if size.members is None else f" of {count_text(size.members)} in the segment"
    return (
        f"{report.by}: {group}, {count_text(size.messages)} messages and"
        f" {count_text(size.ghosts)} held out, {count_text(size.customers)} customers{members}"
    )


def summary(report: Report) -> str:
    """What was read."""
    if report.from_ms is None or report.to_ms is None:
        return "Nothing was sent or held out."
    return (
        f"{format_rfc3339(report.from_ms)[:10]} to {format_rfc3339(report.to_ms)[:10]}:"
        f" {count_text(report.messages)} messages sent and {count_text(report.ghosts)} held out,"
        f" {count_text(report.customers)} customers, {count_text(report.outcomes)} outcomes"
    )


def notes(report: Report) -> Iterator[str]:
    """What a reader should know about the data."""
    if report.unmatched:
        yield (
            f"{count_text(report.unmatched)} requests have outcomes and no decision in the files:"
            " recalled, or of another period. They are left out."
        )


def value_text(kpi: Kpi) -> str:
    """``12.3 %``; ``-`` when there is no figure."""
    return "-" if kpi.value is None else _text(kpi.value, kpi.unit, kpi.currency)


def interval_text(kpi: Kpi) -> str:
    """``11.9 % to 12.8 %``."""
    if kpi.low is None or kpi.high is None:
        return "-"
    return f"{_text(kpi.low, kpi.unit, None)} to {_text(kpi.high, kpi.unit, None)}"


def sample_text(kpi: Kpi) -> str:
    """``118 of 2 300 messages``, or without the numerator."""
    of_what = f"{count_text(kpi.sample)} {kpi.of_what}"
    if kpi.others is not None:
        return f"{of_what} against {count_text(kpi.others)}"
    return of_what if kpi.count is None else f"{count_text(kpi.count)} of {of_what}"


def count_text(count: int) -> str:
    """Groups of three digits."""
    return f"{count:,}".replace(",", "\u202f")


def _text(value: float, unit: Unit, currency: str | None) -> str:
    match unit:
        case "share":
            return f"{percent_text(value)} %"
        case "points":
            sign = "+" if value > 0 else ""
            return f"{sign}{percent_text(value)} pp"
        case "money":
            return f"{value:.2f}{f' {currency}' if currency else ''}"
        case "days":
            return f"{value:.1f} days"
        case "number":
            return f"{value:.4f}"


def percent_text(value: float) -> str:
    """Two digits that matter for small shares, one decimal for the others."""
    percent = value * 100
    return f"{percent:.1f}" if abs(percent) >= 1 or percent == 0 else f"{percent:.2g}"
