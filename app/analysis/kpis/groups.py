"""The page's figures of each group: one table each, remarks below."""

from collections.abc import Sequence
from typing import Final

from app.analysis.kpis.kpi import Kpi
from app.analysis.kpis.report import Report
from app.analysis.kpis.written import group_title, interval_text, sample_text, value_text
from app.html.document import halves, section
from app.html.markup import Html, table, tag

#: Digits of a mark that leads to a remark.
_RAISED: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def groups(report: Report) -> list[Html]:
    """The figures of each group; what no group has is said once, below them."""
    nowhere = _nowhere(report)
    parts = [_kpis(report, group, kpis, nowhere) for group, kpis in report.groups.items()]
    if report.by is None:
        return parts
    found = [halves(parts, are_groups=True)]
    if nowhere:
        title = "Without a figure in any group"
        found.append(section(title, _without(title, nowhere), is_wide=True))
    return found


def _nowhere(report: Report) -> list[Kpi]:
    """KPIs that none of several groups has a figure of, all for the same reason."""
    if len(report.groups) < 2:
        return []
    missing = [
        {kpi.name: kpi.reason for kpi in kpis if kpi.value is None}
        for kpis in report.groups.values()
    ]
    first = next(iter(report.groups.values()))
    return [
        kpi
        for kpi in first
        if kpi.reason is not None and all(each.get(kpi.name) == kpi.reason for each in missing)
    ]


def _kpis(report: Report, group: str, kpis: list[Kpi], nowhere: Sequence[Kpi]) -> Html:
    """The figures of a group; remarks on them, and KPIs without one by the reason, stand below."""
    title = group_title(report, group)
    name = title if report.by is None else group
    known = [kpi for kpi in kpis if kpi.value is not None or kpi.reason is None]
    marks = {
        reason: str(number).translate(_RAISED)
        for number, reason in enumerate(dict.fromkeys(kpi.reason for kpi in known if kpi.reason), 1)
    }
    rows = [
        (
            f"{kpi.label}\u00a0{marks[kpi.reason]}" if kpi.reason else kpi.label,
            value_text(kpi),
            interval_text(kpi),
            sample_text(kpi),
            kpi.method or "",
        )
        for kpi in known
    ]
    head = ("KPI", "value", "95 % interval", "sample", "method")
    remarks = [tag("p", f"{mark} {reason}") for reason, mark in marks.items()]
    elsewhere = {kpi.name for kpi in (*known, *nowhere)}
    without = [kpi for kpi in kpis if kpi.name not in elsewhere]
    below = [_without(f"{name}: without a figure", without)] if without else []
    shown = table(title, head, rows, right=(1, 2))
    return section(title, shown, *remarks, *below, is_wide=True)


def _without(caption: str, kpis: Sequence[Kpi]) -> Html:
    """KPIs without a figure, by the reason."""
    by_reason: dict[str, list[str]] = {}
    for kpi in kpis:
        by_reason.setdefault(kpi.reason or "", []).append(kpi.label)
    rows = [(reason, "; ".join(labels)) for reason, labels in by_reason.items()]
    return table(caption, ("because", "KPIs"), rows)
