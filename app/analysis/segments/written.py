"""A fit as text for people and as JSON for programs."""

import json

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.analysis.kpis.written import count_text, percent_text
from app.analysis.segments.clusters import Portrait
from app.analysis.segments.features import NAMES
from app.analysis.segments.fit import Fit
from app.analysis.segments.high_value import HighValueFit
from app.analysis.segments.next_product import FACT
from app.analysis.segments.scores import Prediction
from app.analysis.statistics.intervals import Interval
from app.core.time.instants import format_rfc3339

HEAD = ("cluster", "customers", "share", *NAMES)


def fit_json(fit: Fit) -> str:
    """All of it."""
    whole = msgspec.to_builtins(fit, str_keys=True)
    whole["now"] = format_rfc3339(whole.pop("now_ms"))
    return json.dumps(whole, indent=2)


def print_fit(fit: Fit, console: Console) -> None:
    """The clusters, then how well high value is predicted early."""
    console.print(Text(summary(fit)))
    if fit.clusters is None:
        console.print(Text(f"No clusters: {fit.without_clusters}."))
    else:
        title = "Clusters (medians)"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for place, name in enumerate(HEAD):
            table.add_column(name, justify="right" if place else "left", overflow="fold")
        for portrait in fit.clusters.portraits:
            table.add_row(*(Text(cell) for cell in cells(portrait, fit.customers)))
        console.print(table)
        console.print(Text(silhouette_text(fit.clusters.silhouettes)))
        if fit.clusters.constant:
            console.print(Text(constant_text(fit.clusters.constant)))
    console.print(Text(high_value_text(fit)))
    if fit.predictions.reports:
        table = Table(
            title="Predictions", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
        )
        for place, name in enumerate(PREDICTIONS_HEAD):
            table.add_column(name, justify="right" if place in (2, 3, 4) else "left")
        for report in fit.predictions.reports:
            table.add_row(*(Text(cell) for cell in prediction_cells(report)))
        console.print(table)


PREDICTIONS_HEAD = ("prediction", "measure", "score", "baseline", "held out", "in the model")


def prediction_cells(report: Prediction) -> tuple[str, ...]:
    """One row under PREDICTIONS_HEAD."""
    verdict = "yes" if report.is_kept else f"no: {report.reason}"
    if report.is_kept and report.name == "next_product":
        verdict = f"yes; rules must declare the fact {FACT}: {{last: order_placed.items.sku}}"
    return (
        f"customer.{report.name}{'_p' if report.name == 'churn' else ''}",
        report.measure,
        _score(report.score, report.score_interval),
        f"{_score(report.baseline, report.baseline_interval)} ({report.baseline_name})",
        count_text(report.held_out),
        verdict,
    )


def _score(value: float | None, interval: Interval | None) -> str:
    if value is None or interval is None:
        return "-"
    return f"{value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def summary(fit: Fit) -> str:
    """Who was looked at, and when."""
    if not fit.now_ms:
        return "No events in the files."
    when = format_rfc3339(fit.now_ms)
    return f"{count_text(fit.customers)} customers with a purchase, as of {when}"


def cells(portrait: Portrait, customers: int) -> tuple[str, ...]:
    """One row under HEAD."""
    return (
        portrait.name,
        count_text(portrait.customers),
        f"{percent_text(portrait.customers / customers)} %",
        *(f"{portrait.medians[name]:.2f}" for name in NAMES),
    )


def silhouette_text(silhouettes: dict[int, float]) -> str:
    """Which number of clusters was chosen, and against what."""
    shown = ", ".join(f"{count}: {score:.3f}" for count, score in silhouettes.items())
    return (
        f"silhouette by number of clusters: {shown}; the highest is taken that does not leave"
        " almost all customers in one"
    )


def constant_text(constant: list[str]) -> str:
    """What the data had no part of."""
    return f"the same for all customers, so left out: {', '.join(constant)}"


def high_value_text(fit: Fit) -> str:
    """How well high value is predicted, or why it is not."""
    found = fit.high_value
    if found is None:
        return f"No high-value model: {fit.without_high_value}."
    low, high = found.auc_interval.low, found.auc_interval.high
    return (
        f"high value ({meaning(found)}) predicted {found.early_days} days after the first purchase:"
        f" AUC {found.auc:.3f} ({low:.3f} to {high:.3f}) on {count_text(found.held_out)} customers"
        f" kept from the fit, {count_text(found.high_held_out)} of them of high value;"
        f" fitted on {count_text(found.fitted)}"
    )


def meaning(found: HighValueFit) -> str:
    """What counts as high value."""
    spent = "anything" if found.spend_over <= 0 else f"{found.spend_over:.2f} or more"
    return f"{spent} spent in the {found.horizon_days} days after that"
