"""Judged experiments as text for people and as JSON for programs."""

import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.analysis.experiments.finding import Finding, VariantFinding
from app.analysis.experiments.plain_words import minute_text
from app.analysis.experiments.report import Judged, Plan
from app.analysis.experiments.verdict import SPLIT_LEVEL
from app.analysis.kpis.written import count_text, percent_text
from app.analysis.statistics.intervals import Interval
from app.analysis.statistics.power import ALPHA
from app.core.time.instants import format_rfc3339

#: What the last two columns of the variants are.
P_VALUES: Final = (
    "p-value: how often chance alone makes a difference as large as this. The corrected one allows"
    f" for several comparisons (Holm): under {ALPHA:g} the difference is beyond chance."
)
#: columns under ``head`` from here on are numbers
FIRST_NUMBER: Final = 1


def head(success: str) -> tuple[str, ...]:
    """Of a table with a row of ``cells`` for each variant; ``success`` is what the metric is."""
    return (
        "variant",
        "customers",
        success,
        "share",
        "95 % interval",
        "difference (lift)",
        "95 % interval",
        "relative difference",
        "p-value",
        "corrected p-value",
    )


def judged_json(judged: Sequence[Judged]) -> str:
    """All of them; instants RFC 3339 (``*_at``)."""
    return json.dumps([_with_times(msgspec.to_builtins(each)) for each in judged], indent=2)


def _with_times(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_times(item) for item in value]
    if not isinstance(value, dict):
        return value
    instants = ("from_ms", "end_ms", "now_ms", "stop_ms", "first_ms", "last_ms", "broken_ms")
    return {
        f"{name[:-3]}_at" if name in instants else name: format_rfc3339(item)
        if name in instants and item is not None
        else _with_times(item)
        for name, item in value.items()
    }


def print_judged(judged: Sequence[Judged], console: Console) -> None:
    """A heading, a table and the plan of each."""
    if not judged:
        console.print(Text("The rules have no experiments."))
    for each in judged:
        title = f"{each.design.name} ({each.design.trigger}, {each.design.metric})"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for place, name in enumerate(head(each.design.metric)):
            justify = "right" if place >= FIRST_NUMBER else "left"
            table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
        for variant in each.finding.variants:
            table.add_row(*(Text(cell) for cell in cells(variant)))
        console.print(table)
        for line in (P_VALUES, verdict_text(each.finding), *lines(each)):
            console.print(Text(line))
        console.print()


def verdict_text(finding: Finding) -> str:
    """``winner bold: better than ...``."""
    name = finding.winner or finding.stopped
    named = "" if name is None else f" {name}"
    return f"{finding.verdict}{named}: {finding.reason}"


def lines(judged: Judged) -> list[str]:
    """When, and with what sample it was planned."""
    design, finding = judged.design, judged.finding
    until = finding.now_ms if finding.stop_ms is None else finding.stop_ms
    state = "so far until" if finding.stop_ms is None else "complete at"
    if finding.verdict == "stopped":
        state = "stopped at"
    ended = f", {state} {minute_text(until)}" if until else "; nothing was decided so far"
    found = [
        f"Counted from {minute_text(design.from_ms)}{ended}. The split among the variants has a"
        f" p-value of {finding.split_p:.2g}; under {SPLIT_LEVEL:g} it is not chance."
    ]
    if finding.verdict == "running":
        found.append("Figures of a running experiment are no verdict: do not stop it for them.")
    if judged.plan is not None:
        found.append(plan_text(judged.plan, design.min_sample))
    return found


def plan_text(plan: Plan, min_sample: int | None) -> str:
    """What sample would find what."""
    better = plan.base * (1 + plan.lift)
    needed = (
        f"To find a lift of {percent_text(plan.lift)} %, from {percent_text(plan.base)} % to"
        f" {percent_text(better)} %, in 80 % of cases (power) takes {count_text(plan.needed)}"
        " customers per variant"
    )
    if plan.power is None or min_sample is None:
        return f"{needed}."
    return (
        f"{needed}; a min_sample of {count_text(min_sample)} finds it in"
        f" {100 * plan.power:.0f} % of them."
    )


def cells(variant: VariantFinding) -> tuple[str, ...]:
    """One row under ``head``."""
    return (
        f"{variant.name}{' (ghost)' if variant.is_ghost else ''}",
        count_text(variant.sample),
        count_text(variant.successes),
        _percent(variant.rate),
        _interval(variant.rate_interval, " %"),
        _points(variant.lift),
        _interval(variant.lift_interval, " pp"),
        "-" if variant.relative_lift is None else f"{100 * variant.relative_lift:+.1f} %",
        _p(variant.p_value),
        _p(variant.corrected_p),
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{percent_text(value)} %"


def _points(value: float | None) -> str:
    return "-" if value is None else f"{'+' if value > 0 else ''}{percent_text(value)} pp"


def _interval(interval: Interval | None, unit: str) -> str:
    if interval is None:
        return "-"
    return f"{percent_text(interval.low)} to {percent_text(interval.high)}{unit}"


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}" if value >= 0.0001 else "< 0.0001"
