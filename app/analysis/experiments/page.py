"""Judged experiments as a page, in the look of the backtest's report."""

from collections.abc import Sequence

from app.analysis.experiments.report import Judged
from app.analysis.experiments.written import FIRST_NUMBER, HEAD, cells, lines, verdict_text
from app.analysis.kpis.written import percent_text
from app.html.document import cards, document, figure, section
from app.html.interval_plot import Spread, intervals
from app.html.markup import Html, table, tag


def experiments_page(judged: Sequence[Judged]) -> str:
    """The HTML document."""
    text = (
        "A customer counts once, in the variant they were drawn into. A verdict comes once, when"
        " the sample that was planned is complete and its attribution window has passed; until"
        " then the figures say nothing."
        if judged
        else "The rules have no experiments."
    )
    return document(
        "Experiments",
        tag("header", tag("h1", "Experiments"), tag("p", text)),
        cards((each.design.name, _short(each)) for each in judged),
        *(_experiment(each) for each in judged),
    )


def _short(judged: Judged) -> str:
    finding = judged.finding
    return finding.verdict if finding.winner is None else f"winner: {finding.winner}"


def _experiment(judged: Judged) -> Html:
    design, finding = judged.design, judged.finding
    rates = [
        Spread(variant.name, variant.rate, variant.rate_interval.low, variant.rate_interval.high)
        for variant in finding.variants
        if variant.rate is not None and variant.rate_interval is not None
    ]
    lifts = [
        Spread(variant.name, variant.lift, variant.lift_interval.low, variant.lift_interval.high)
        for variant in finding.variants
        if variant.lift is not None and variant.lift_interval is not None
    ]
    figures = []
    if rates:
        label = f"{design.name}: customers with {design.metric}"
        figures.append(figure(label, intervals(label, rates, lambda v: f"{percent_text(v)} %")))
    if lifts:
        label = f"{design.name}: difference from {finding.variants[0].name}, percentage points"
        figures.append(figure(label, intervals(label, lifts, lambda v: f"{percent_text(v)} pp")))
    rows = [cells(variant) for variant in finding.variants]
    paragraphs = [tag("p", text) for text in lines(judged)]
    if design.hypothesis is not None:
        paragraphs.insert(0, tag("p", f"Hypothesis: {design.hypothesis}"))
    return section(
        f"{design.name} on {design.trigger}",
        tag("p", tag("strong", verdict_text(finding))),
        *paragraphs,
        *figures,
        table(f"Variants of {design.name}", HEAD, rows, right=range(FIRST_NUMBER, len(HEAD))),
        is_wide=True,
    )
