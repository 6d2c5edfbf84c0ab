"""Judged experiments as a page, in the look of the backtest's report."""

from collections.abc import Sequence

from app.analysis.experiments.design import METRIC_WORDS
from app.analysis.experiments.plain_words import happened, plan_rows, verdict_words, worth_words
from app.analysis.experiments.report import Judged
from app.analysis.experiments.written import FIRST_NUMBER, P_VALUES, cells, head, lines
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
    name = finding.winner or finding.stopped
    return finding.verdict if name is None else f"{finding.verdict}: {name}"


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
        label = f"{design.name}: customers who {METRIC_WORDS[design.metric]}"
        figures.append(figure(label, intervals(label, rates, lambda v: f"{percent_text(v)} %")))
    if lifts:
        label = f"{design.name}: difference from {finding.variants[0].name}, percentage points"
        figures.append(figure(label, intervals(label, lifts, lambda v: f"{percent_text(v)} pp")))
    names = head(f"who {METRIC_WORDS[design.metric]}")
    rows = [cells(variant) for variant in finding.variants]
    plan = list(plan_rows(design))
    worth = []
    if judged.worth is not None:
        worth = [tag("h3", "Worth a month"), tag("p", worth_words(design, judged.worth))]
    return section(
        f"{design.name} on {design.trigger}",
        tag("p", tag("strong", verdict_words(judged)), class_="verdict"),
        tag("p", f"Hypothesis: {design.hypothesis or 'none was written down'}"),
        *worth,
        tag("h3", "What happened"),
        *(tag("p", text) for text in (*happened(design, finding), *lines(judged))),
        *figures,
        tag("h3", "What was planned"),
        table(f"Registered design of {design.name}", ("what", "how"), plan),
        table(f"Variants of {design.name}", names, rows, right=range(FIRST_NUMBER, len(names))),
        tag("p", P_VALUES),
        is_wide=True,
    )
