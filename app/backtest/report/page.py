"""The whole report: one HTML file that loads nothing from anywhere."""

from collections.abc import Mapping, Sequence

import msgspec

from app.backtest.report import sections
from app.backtest.report.days import calendar
from app.backtest.report.tally import Tally
from app.core.decisions import Outcome
from app.core.rules.model import Rules
from app.html.document import cards, document, halves
from app.html.markup import Html, tag


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What the report says about the run in addition to its decisions."""

    records: Mapping[str, int]
    customers: int
    #: what is odd about the event files as a whole
    remarks: Sequence[str] = ()


def report_page(tally: Tally, rules: Rules, run: Run) -> str:
    """The HTML document."""
    return document(
        "Backtest report",
        _header(tally, rules, run.remarks),
        _cards(tally, run),
        sections.sends_by_day(tally),
        sections.triggers(tally, rules),
        sections.suppressions(tally),
        sections.limits(tally, rules),
        halves(
            (
                sections.stopped_starts(tally),
                sections.arms(tally, rules),
                sections.delays(tally),
                sections.messages(tally, run.customers),
            )
        ),
        sections.led_to(tally),
    )


def _header(tally: Tally, rules: Rules, remarks: Sequence[str]) -> Html:
    shown = calendar(((kind[0], "", count) for kind, count in tally.counts.items()), 1)
    period = f"Decisions from {shown.names[0]} on. " if shown.names else "No decisions. "
    return tag(
        "header",
        tag("h1", "Backtest report"),
        tag("p", period, "Rules version ", tag("code", rules.version[:12]), "."),
        *(tag("p", tag("strong", "Check the events: "), remark) for remark in remarks),
    )


def _cards(tally: Tally, run: Run) -> Html:
    outcomes = tally.outcomes
    records = sum(run.records.values())
    figures = [
        ("records read", records),
        ("dead letters", run.records.get("dead_letter", 0)),
        ("customers", run.customers),
        ("messages sent", outcomes[Outcome.SEND]),
        ("ghost sends", outcomes[Outcome.HOLDOUT]),
        ("steps suppressed", outcomes[Outcome.SUPPRESS]),
        ("deferrals", outcomes[Outcome.DEFER]),
        ("recalls", outcomes[Outcome.RECALL]),
    ]
    return cards((name, _grouped(count)) for name, count in figures)


def _grouped(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")
