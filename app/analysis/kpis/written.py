"""The report as text for people and as JSON for programs."""

import json
from collections.abc import Iterator
from math import isfinite
from typing import Any, Final

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.analysis.kpis.against import Change
from app.analysis.kpis.customers import CategoryRevenue
from app.analysis.kpis.kpi import Kpi, Unit
from app.analysis.kpis.report import Report
from app.core.time.instants import format_rfc3339


def report_json(report: Report) -> str:
    """Everything; instants RFC 3339 (``from``, ``last``, ``to``)."""
    whole: dict[str, Any] = msgspec.to_builtins(report)
    for part in (whole, whole["against"]):
        for name in ("from", "last", "to") if part is not None else ():
            instant_ms = part.pop(f"{name}_ms")
            part[name] = None if instant_ms is None else format_rfc3339(instant_ms)
    return json.dumps(_finite(whole), indent=2, ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    """The same with null for numbers over the range of a double: JSON has no word for them."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value


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
        _print_changes(report, group, console)
    _print_categories(report, console)
    for note in notes(report):
        console.print(Text(note))


def _print_changes(report: Report, group: str, console: Console) -> None:
    found = report.changes.get(group)
    if not found or report.against is None:
        return
    title = f"Against {period_text(report.against)}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(CHANGES_HEAD[0], overflow="fold")
    for name in CHANGES_HEAD[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for change in found:
        table.add_row(*(Text(cell) for cell in change_cells(change)))
    console.print(table)


def _print_categories(report: Report, console: Console) -> None:
    if not report.categories:
        return
    table = Table(
        title="Revenue by category", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.add_column(CATEGORIES_HEAD[0], overflow="fold")
    for name in CATEGORIES_HEAD[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for each in report.categories:
        table.add_row(*(Text(cell) for cell in category_cells(each)))
    console.print(table)


#: From here on numbers are rounded: a double has no more digits, and a column no more room.
_MANY: Final = 1e15
CHANGES_HEAD: Final = ("KPI", "now", "then", "difference", "95 % interval", "samples")
CATEGORIES_HEAD: Final = ("category", "revenue", "customers", "per customer", "95 % interval")


def change_cells(change: Change) -> tuple[str, ...]:
    """One row under CHANGES_HEAD."""
    unit: Unit = "points" if change.unit == "share" else change.now.unit
    interval = "-"
    if change.interval is not None:
        ends = (change.interval.low, change.interval.high)
        interval = " to ".join(_signed(end, unit, None) for end in ends)
    return (
        change.label,
        value_text(change.now),
        value_text(change.then),
        "-" if change.difference is None else _signed(change.difference, unit, change.currency),
        interval,
        f"{count_text(change.now.sample)}, {count_text(change.then.sample)}",
    )


def category_cells(each: CategoryRevenue) -> tuple[str, ...]:
    """One row under CATEGORIES_HEAD."""
    return (
        each.category,
        "-" if each.revenue is None else _text(each.revenue, "money", None),
        count_text(each.per_customer.sample),
        value_text(each.per_customer),
        interval_text(each.per_customer),
    )


def _signed(value: float, unit: Unit, currency: str | None) -> str:
    text = _text(value, unit, currency)
    return f"+{text}" if value > 0 and not text.startswith("+") else text


def period_text(report: Report) -> str:
    """``2026-01-01 to 2026-01-31``: of the messages."""
    if report.from_ms is None or report.last_ms is None:
        return "a period without messages"
    return f"{format_rfc3339(report.from_ms)[:10]} to {format_rfc3339(report.last_ms)[:10]}"


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
        f"{period_text(report)}: {count_text(report.messages)} messages sent and"
        f" {count_text(report.ghosts)} held out, {count_text(report.customers)} customers,"
        f" {count_text(report.outcomes)} outcomes until {format_rfc3339(report.to_ms)[:10]}"
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
            return f"{_grouped(value)}{f' {currency}' if currency else ''}"
        case "days":
            return f"{value:.1f} days"
        case "number":
            return f"{value:.4f}"
        case "count":
            text = f"{value:+,.0f}" if abs(value) < _MANY else f"{value:+.3e}"
            return text.replace(",", "\u202f")


def _grouped(value: float) -> str:
    text = f"{value:,.2f}" if abs(value) < _MANY else f"{value:.3e}"
    return text.replace(",", "\u202f")


def percent_text(value: float) -> str:
    """Two digits that matter for small shares, one decimal for the others."""
    percent = value * 100
    return f"{percent:.1f}" if abs(percent) >= 1 or percent == 0 else f"{percent:.2g}"
