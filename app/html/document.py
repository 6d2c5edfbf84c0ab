"""What all pages share: one HTML file that loads nothing from anywhere."""

from collections.abc import Iterable
from importlib.resources import files

from app.html.markup import Html, join, tag


def document(title: str, *content: Html) -> str:
    """The HTML document around a page's content."""
    style = Html(files("app.html").joinpath("report.css").read_text(encoding="utf-8"))
    head = tag(
        "head",
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", title),
        Html(f"<style>{style}</style>"),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('main', *content)), lang='en')}\n"


def cards(figures: Iterable[tuple[str, str]]) -> Html:
    """The figures to see first: (what it is, the figure)."""
    items = [tag("div", tag("dt", name), tag("dd", figure)) for name, figure in figures]
    return tag("dl", join(items), class_="cards")


def section(title: str, *content: Html, is_wide: bool = False) -> Html:
    """A part with its heading. ``is_wide``: the table needs the whole width, the plot is above."""
    return tag("section", tag("h2", title), *content, class_="wide" if is_wide else None)


def figure(label: str, plot: Html) -> Html:
    """A plot with its caption."""
    return tag("figure", tag("figcaption", label), plot)
