"""The report as a page, in the look of the backtest's."""

from collections.abc import Sequence
from typing import Final

from app.analysis.kpis.groups import groups
from app.analysis.kpis.kpi import Kpi
from app.analysis.kpis.report import Report
from app.analysis.kpis.tables import COHORT_DAYS, Cohort, Funnel
from app.analysis.kpis.written import (
    CATEGORIES_HEAD,
    CHANGES_HEAD,
    category_cells,
    change_cells,
    count_text,
    group_title,
    interval_text,
    notes,
    percent_text,
    period_text,
    summary,
    value_text,
)
from app.html import plots
from app.html.document import cards, document, figure, halves, section
from app.html.interval_plot import Spread, intervals
from app.html.markup import Html, table, tag

#: On top of the page, when they have a figure.
_CARDS: Final = (
    ("recovery_rate", "recovered"),
    ("conversion_rate", "converted"),
    ("incremental_lift", "lift over the holdout"),
    ("incremental_orders", "orders more"),
    ("incremental_revenue", "revenue more"),
    ("support_contacts_avoided", "support contacts avoided"),
    ("revenue_per_message", "revenue per message"),
    ("open_rate", "opened"),
    ("click_rate", "clicked"),
    ("unsubscribe_rate", "unsubscribed"),
)
#: Told apart by this many or fewer, a KPI is drawn group by group.
_MOST_LINES: Final = 30
_COMPARED: Final = ("recovery_rate", "conversion_rate", "open_rate", "click_rate")


def report_page(report: Report) -> str:
    """The HTML document."""
    paragraphs = [tag("p", text) for text in (summary(report), *notes(report))]
    explained = tag(
        "p",
        "Every figure stands with its 95 % interval. Messages to one customer are alike, so the"
        " intervals count customers, not messages: the design effect says how much wider that"
        " makes them.",
    )
    return document(
        "KPIs",
        tag("header", tag("h1", "What the messages achieved"), *paragraphs, explained),
        _cards(report),
        *_lifts(report),
        halves(
            (
                *(_funnel(funnel) for funnel in report.funnels),
                *_pressure(report),
                *_cohorts(report.cohorts),
                *_categories(report),
            )
        ),
        *_compared(report),
        *groups(report),
        *_changes(report),
    )


def _cards(report: Report) -> Html:
    figures: list[tuple[str, str] | tuple[str, str, str]] = [
        ("messages sent", count_text(report.messages)),
        ("held out", count_text(report.ghosts)),
        ("customers", count_text(report.customers)),
    ]
    if report.by is None:
        for kpis in report.groups.values():
            by_name = {kpi.name: kpi for kpi in kpis}
            figures += [
                (label, value_text(by_name[name]), interval_text(by_name[name]))
                for name, label in _CARDS
                if by_name[name].value is not None
            ]
    return cards(figures)


def _spreads(kpis: dict[str, list[Kpi]], name: str) -> list[Spread]:
    """One KPI of each group, where it has an interval."""
    return [
        Spread(group, kpi.value, kpi.low, kpi.high)
        for group, of_group in kpis.items()
        for kpi in of_group
        if kpi.name == name
        and kpi.value is not None
        and kpi.low is not None
        and kpi.high is not None
    ]


def _percent(value: float) -> str:
    return f"{percent_text(value)} %"


def _points(value: float) -> str:
    return f"{'+' if value > 0 else ''}{percent_text(value)} pp"


def _lifts(report: Report) -> list[Html]:
    parts = []
    for name, label in (
        ("incremental_lift", "Followed by a purchase, sent minus held out"),
        ("recovery_lift", "Recovered, sent minus held out"),
    ):
        spreads = _spreads(report.triggers, name)
        if spreads:
            caption = f"{label}, in percentage points"
            rows = [
                (group, value_text(kpi), interval_text(kpi), kpi.sample, kpi.others or 0)
                for group, kpis in report.triggers.items()
                for kpi in kpis
                if kpi.name == name and kpi.value is not None
            ]
            head = ("trigger", "lift", "95 % interval", "sent", "held out")
            parts += [
                figure(caption, intervals(caption, spreads, _points)),
                table(label, head, rows, right=(1, 2)),
            ]
    if not parts:
        return []
    text = (
        "Share of messages that a purchase followed within the attribution window, less the same"
        " share of the ghost sends of held-out customers. An interval that does not reach zero is"
        " an effect beyond chance. Who is held out by the file's holdout gets no marketing at all,"
        " so there the lift of one trigger has in it what the customer's other messages did; a"
        " trigger with a holdout of its own shows its own effect."
    )
    return [section("Lift over the holdout", tag("p", text), *parts)]


def _funnel(funnel: Funnel) -> Html:
    stages = {
        "abandoned": funnel.abandoned,
        "reminded": funnel.reminded,
        "opened": funnel.opened,
        "clicked": funnel.clicked,
        "recovered": funnel.recovered,
    }
    label = f"{funnel.trigger}: from abandoned to recovered"
    rows = [
        (name, count, _percent(count / funnel.abandoned), _of_reminded(name, count, funnel))
        for name, count in stages.items()
    ]
    if funnel.held_out:
        alone = _percent(funnel.recovered_alone / funnel.held_out)
        rows.append(("held out", funnel.held_out, _percent(funnel.held_out / funnel.abandoned), ""))
        rows.append(("held out, recovered", funnel.recovered_alone, "", f"{alone} of held out"))
    head = ("stage", "count", "of abandoned", "of reminded")
    return section(
        f"Funnel: {funnel.trigger}",
        figure(label, plots.rows(label, list(stages), {"instances": list(stages.values())})),
        table(label, head, rows, right=(2, 3)),
    )


def _of_reminded(name: str, count: int, funnel: Funnel) -> str:
    is_part = name in ("opened", "clicked", "recovered") and funnel.reminded > 0
    return _percent(count / funnel.reminded) if is_part else ""


def _pressure(report: Report) -> list[Html]:
    if not report.pressure:
        return []
    label = "Messages after which the customer opted out, by which of theirs it was"
    spreads = [
        Spread(
            f"message {bar.nth}", bar.opted_out / bar.messages, bar.interval.low, bar.interval.high
        )
        for bar in report.pressure
    ]
    rows = [
        (
            bar.nth,
            bar.customers,
            bar.messages,
            bar.opted_out,
            _percent(bar.opted_out / bar.messages),
        )
        for bar in report.pressure
    ]
    head = ("a customer's message", "customers", "messages", "opted out", "share")
    text = (
        "Opted out: unsubscribed or complained. By the number of the message, not by how many a"
        " customer had in all, because who opts out gets no more."
    )
    return [
        section(
            "Messages per customer against opt-outs",
            tag("p", text),
            figure(label, intervals(label, spreads, _percent)),
            table(label, head, rows, right=(4,)),
        )
    ]


def _cohorts(cohorts: Sequence[Cohort]) -> list[Html]:
    if not cohorts:
        return []
    label = "Customers with a second purchase, by month of their first"
    head = ("first purchase", "customers", "came back", "median", *(f"{d} d" for d in COHORT_DAYS))
    rows = [
        (
            cohort.month,
            cohort.customers,
            cohort.came_back,
            "-" if cohort.median_days is None else f"{cohort.median_days:.1f} d",
            *(_heat(share) for share in cohort.repeated),
        )
        for cohort in cohorts
    ]
    caption = "Median days from the first purchase to the second, by month of the first"
    bars = [round(cohort.median_days or 0) for cohort in cohorts]
    drawn = plots.stacked_bars(caption, [c.month for c in cohorts], {"days": bars})
    text = (
        "Of the customers whose first purchase is that long ago. The median is of those who came"
        " back: it grows as slower ones do."
    )
    return [
        section(
            "Repeat purchase latency",
            tag("p", text),
            figure(caption, drawn),
            table(label, head, rows, right=range(3, 4 + len(COHORT_DAYS))),
            is_wide=True,
        )
    ]


def _heat(share: float | None) -> object:
    if share is None:
        return "-"
    return tag("span", _percent(share), class_="heat", style=f"--share: {share:.3f}")


def _compared(report: Report) -> list[Html]:
    """The shares of each group against each other."""
    if report.by is None or len(report.groups) > _MOST_LINES:
        return []
    figures = []
    for name in _COMPARED:
        spreads = _spreads(report.groups, name)
        if spreads:
            label = next(
                kpi.label for kpis in report.groups.values() for kpi in kpis if kpi.name == name
            )
            figures.append(figure(label, intervals(label, spreads, _percent)))
    return [section(f"By {report.by}", *figures)] if figures else []


def _changes(report: Report) -> list[Html]:
    """The other period compared with this one."""
    if report.against is None:
        return []
    then = period_text(report.against)
    text = (
        "The difference is this period less the other. Its interval takes the two as independent:"
        " for customers who are in both it is wide rather than narrow."
    )
    parts = [
        table(
            f"{group_title(report, group)}, against {then}",
            CHANGES_HEAD,
            [change_cells(change) for change in found],
            right=range(1, len(CHANGES_HEAD)),
        )
        for group, found in report.changes.items()
    ]
    return [section(f"Against {then}", tag("p", text), *parts, is_wide=True)]


def _categories(report: Report) -> list[Html]:
    if not report.categories:
        return []
    rows = [category_cells(each) for each in report.categories]
    caption = "What was bought in the period, with or without a message"
    right = range(1, len(CATEGORIES_HEAD))
    shown = table(caption, CATEGORIES_HEAD, rows, right=right)
    return [section("Revenue by category", shown)]
