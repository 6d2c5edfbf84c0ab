"""A fit as a page, in the look of the backtest's report."""

from app.analysis.kpis.written import count_text, percent_text
from app.analysis.segments.clusters import ClusterFit, Portrait
from app.analysis.segments.features import NAMES
from app.analysis.segments.fit import Fit
from app.analysis.segments.high_value import HighValueFit
from app.analysis.segments.written import (
    HEAD,
    PREDICTIONS_HEAD,
    cells,
    constant_text,
    high_value_text,
    prediction_cells,
    silhouette_text,
    summary,
)
from app.html import plots
from app.html.document import cards, document, figure, section
from app.html.interval_plot import Spread, intervals
from app.html.markup import Html, table, tag


def fit_page(fit: Fit) -> str:
    """The HTML document."""
    figures = [("customers", count_text(fit.customers))]
    parts = []
    if fit.clusters is None:
        parts.append(section("Clusters", tag("p", f"No clusters: {fit.without_clusters}.")))
    else:
        figures.append(("clusters", str(len(fit.clusters.portraits))))
        parts.append(_overview(fit.clusters, fit.customers))
        parts.append(_portraits(fit.clusters))
    if fit.high_value is not None:
        figures.append(("AUC, early high value", f"{fit.high_value.auc:.3f}"))
    parts.append(_high_value(fit))
    if fit.predictions.reports:
        parts.append(_predictions(fit))
    return document(
        "Customer segments",
        tag("header", tag("h1", "Customer segments"), tag("p", summary(fit))),
        cards(figures),
        *parts,
    )


def _overview(clusters: ClusterFit, customers: int) -> Html:
    label = "Customers by cluster"
    names = [portrait.name for portrait in clusters.portraits]
    sizes = {"customers": [portrait.customers for portrait in clusters.portraits]}
    rows = [cells(portrait, customers) for portrait in clusters.portraits]
    notes = [silhouette_text(clusters.silhouettes).capitalize() + "."]
    if clusters.constant:
        notes.append(constant_text(clusters.constant).capitalize() + ".")
    return section(
        "Clusters",
        *(tag("p", note) for note in notes),
        figure(label, plots.rows(label, names, sizes)),
        table("Medians of each cluster", HEAD, rows, right=range(1, len(HEAD))),
        is_wide=True,
    )


def _portraits(clusters: ClusterFit) -> Html:
    text = (
        "Where the middle of each cluster lies, in standard deviations from the mean of all"
        " customers: to the right is more than usual."
    )
    return section("Portraits", tag("p", text), *map(_portrait, clusters.portraits))


def _portrait(portrait: Portrait) -> Html:
    label = f"{portrait.name}: {count_text(portrait.customers)} customers"
    spreads = [Spread(name, z, min(z, 0.0), max(z, 0.0)) for name, z in portrait.z.items()]
    return figure(label, intervals(label, spreads, lambda z: f"{z:+.3g}" if z else "0"))


def _high_value(fit: Fit) -> Html:
    text = high_value_text(fit)
    paragraph = tag("p", text[0].upper() + text[1:].rstrip(".") + ".")
    if fit.high_value is None:
        return section("Early high value", paragraph)
    return section("Early high value", paragraph, _weights(fit.high_value))


def _predictions(fit: Fit) -> Html:
    text = (
        "Each is tried on customers that were kept from the fit, compared with a naive guess;"
        " one that does not beat it is not in the model."
    )
    rows = [prediction_cells(report) for report in fit.predictions.reports]
    shown = table("Predictions and their baselines", PREDICTIONS_HEAD, rows, right=(2, 3, 4))
    return section("Predictions", tag("p", text), shown, is_wide=True)


def _weights(found: HighValueFit) -> Html:
    rows = [
        (feature.name, f"{feature.mean:.2f}", f"{feature.std:.2f}", f"{feature.coefficient:+.3f}")
        for feature in found.model.features
    ]
    share = percent_text(found.high_held_out / found.held_out)
    caption = f"Weights of the standardised features ({share} % are of high value)"
    head = ("feature", "mean", "standard deviation", "weight")
    assert len(rows) <= len(NAMES)
    return table(caption, head, rows, right=(1, 2, 3))
