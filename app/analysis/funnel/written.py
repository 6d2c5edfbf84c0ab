"""The funnel as text for people, as JSON for programs, and as a page."""

import json
from collections.abc import Iterator

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.analysis.funnel.report import FunnelReport, JourneyStep, Stage
from app.analysis.kpis.kpi import Kpi
from app.analysis.kpis.written import (
    count_text,
    interval_text,
    percent_text,
    value_text,
)
from app.html import plots
from app.html.document import cards, document, figure, section
from app.html.markup import Html, table, tag

HEAD = (
    "stage",
    "reached",
    "of all",
    "went on",
    "95 % interval",
    "lost",
    "still open",
    "time to next",
)
BACK_HEAD = (
    "stood still at",
    "went on after a message",
    "of",
    "held out",
    "of",
    "difference",
    "95 % interval",
)
STEPS_HEAD = (
    "trigger, step",
    "decided",
    "sent",
    "held out",
    "nothing sent",
    "opened",
    "clicked",
    "bought",
)


def funnel_json(report: FunnelReport) -> str:
    """Everything."""
    return json.dumps(msgspec.to_builtins(report), indent=2, ensure_ascii=False)


def summary(report: FunnelReport) -> Iterator[str]:
    """What was counted, and what a reader should know of it."""
    days = report.within_ms / 86_400_000
    yield (
        f"{count_text(report.things)} values of {report.key} began with {report.stages[0]}; each is"
        f" followed for {days:g} days. Who reaches a stage has reached those before it."
    )
    if report.without_key:
        yield (
            f"{count_text(report.without_key)} events of these types have no {report.key} and are"
            " left out."
        )


def stage_cells(stage: Stage) -> tuple[str, ...]:
    """One row under HEAD."""
    went_on = stage.went_on
    return (
        stage.name,
        count_text(stage.count),
        value_text(stage.reached),
        "-" if went_on is None else value_text(went_on),
        "-" if went_on is None else interval_text(went_on),
        "-" if went_on is None else count_text(stage.lost),
        "-" if went_on is None else count_text(stage.open),
        time_text(stage),
    )


def time_text(stage: Stage) -> str:
    """``12 min (4 min to 2.0 h), of 120``: median and quartiles."""
    if stage.median_s is None or stage.quartiles_s is None:
        return "-"
    low, high = stage.quartiles_s
    return (
        f"{duration_text(stage.median_s)} ({duration_text(low)} to {duration_text(high)}), of"
        f" {count_text(stage.timed)}"
    )


def duration_text(seconds: float) -> str:
    """In the largest unit that fits."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if abs(seconds) >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def back_cells(stage: Stage) -> tuple[str, ...] | None:
    """One row under BACK_HEAD; None when no message went to a customer there."""
    if stage.sent is None or stage.held_out is None or stage.brought_back is None:
        return None
    if not stage.sent.sample and not stage.held_out.sample:
        return None
    return (
        stage.name,
        _rate(stage.sent),
        count_text(stage.sent.sample),
        _rate(stage.held_out),
        count_text(stage.held_out.sample),
        value_text(stage.brought_back),
        interval_text(stage.brought_back),
    )


def _rate(kpi: Kpi) -> str:
    return "-" if kpi.count is None else f"{count_text(kpi.count)} ({value_text(kpi)})"


def step_cells(step: JourneyStep) -> tuple[str, ...]:
    """One row under STEPS_HEAD; opens, clicks and purchases are of those sent."""
    return (
        f"{step.trigger}, step {step.step}",
        count_text(step.instances),
        count_text(step.sent),
        count_text(step.held_out),
        count_text(step.nothing),
        *(_of_sent(count, step.sent) for count in (step.opened, step.clicked, step.bought)),
    )


def _of_sent(count: int, sent: int) -> str:
    return f"{count_text(count)} ({percent_text(count / sent)} %)" if sent else "-"


def print_funnel(report: FunnelReport, console: Console) -> None:
    """Tables: the stages of each group, what messages brought back, journeys."""
    for line in summary(report):
        console.print(Text(line))
    for group, stages in report.groups.items():
        title = "All" if group == "all" else f"segment: {group}"
        _print(console, title, HEAD, [stage_cells(stage) for stage in stages])
        rows = [row for stage in stages if (row := back_cells(stage)) is not None]
        if rows:
            _print(console, "Brought back by messages", BACK_HEAD, rows)
    if report.journeys:
        _print(console, "Journeys", STEPS_HEAD, [step_cells(step) for step in report.journeys])


def _print(
    console: Console, title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]
) -> None:
    drawn = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(head):
        justify = "right" if place else "left"
        drawn.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console.print(drawn)


def funnel_page(report: FunnelReport) -> str:
    """The HTML document."""
    parts: list[Html] = []
    for group, stages in report.groups.items():
        parts += _group(group, stages)
    if report.journeys:
        rows = [step_cells(step) for step in report.journeys]
        text = "Opened, clicked and bought are of those who were sent the step."
        shown = table("Steps of each journey", STEPS_HEAD, rows, right=range(1, len(STEPS_HEAD)))
        parts.append(section("Journeys, step by step", tag("p", text), shown, is_wide=True))
    all_stages = next(iter(report.groups.values()), [])
    figures = [(stage.name, count_text(stage.count)) for stage in all_stages]
    return document(
        "Funnel",
        tag("header", tag("h1", "Funnel"), *(tag("p", text) for text in summary(report))),
        *([cards(figures)] if len(report.groups) == 1 else []),
        *parts,
    )


def _group(group: str, stages: list[Stage]) -> list[Html]:
    title = "From stage to stage" if group == "all" else f"Segment: {group}"
    label = f"{title}: how many reach each stage"
    bars = plots.rows(label, [each.name for each in stages], {"": [each.count for each in stages]})
    shown = table(
        f"{title}: reached, lost, and the time in between (median and quartiles)",
        HEAD,
        [stage_cells(stage) for stage in stages],
        right=range(1, len(HEAD)),
    )
    parts = [section(title, figure(label, bars), shown, is_wide=True)]
    rows = [row for stage in stages if (row := back_cells(stage)) is not None]
    if rows:
        text = (
            "Of those that stood still at a stage when a message about them was sent or held out:"
            " how many went on after it, and the difference that the message made."
        )
        caption = f"{title}: brought back by messages"
        back = table(caption, BACK_HEAD, rows, right=range(1, len(BACK_HEAD)))
        parts.append(section("Brought back", tag("p", text), back, is_wide=True))
    return parts
