"""What all pages share: one HTML file that loads nothing from anywhere."""

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from importlib.resources import files

from app.html.markup import NOTHING, Html, join, tag


def report_style() -> str:
    """The style sheet of reports."""
    return files("app.html").joinpath("report.css").read_text(encoding="utf-8")


def security_policy(style: str, *, has_forms: bool = False) -> str:
    """The Content-Security-Policy of a page: a browser may apply this style, send forms back where
    the page came from if it has any, and do nothing else.
    """
    style_hash = b64encode(sha256(style.encode()).digest()).decode()
    target = "'self'" if has_forms else "'none'"
    return (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none';"
        f" form-action {target}; frame-ancestors 'none'"
    )


def document(title: str, *content: Html, style: str | None = None, above: Html = NOTHING) -> str:
    """The HTML document around a page's content.

    ``style``: the style sheet, by default that of reports; ``above``: what stands before the
    content, such as a navigation.
    """
    style = report_style() if style is None else style
    head = tag(
        "head",
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", title),
        Html(f"<style>{style}</style>"),
    )
    body = tag("body", above, tag("main", *content, id="content" if above else None))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def cards(figures: Iterable[tuple[str, str] | tuple[str, str, str]]) -> Html:
    """The figures to see first: (what it is, the figure, and in small letters its interval)."""
    items = [
        tag("div", tag("dt", name), tag("dd", figure, *(tag("small", each) for each in small)))
        for name, figure, *small in figures
    ]
    return tag("dl", join(items), class_="cards")


def section(
    title: str,
    *content: Html,
    is_wide: bool = False,
    is_series: bool = False,
) -> Html:
    """A part with its heading. ``is_wide``: the table needs the whole width, the plot is above;
    ``is_series``: on paper, the plots are enough, without their tables.
    """
    classes = " ".join(("wide",) * is_wide + ("series",) * is_series)
    return tag("section", tag("h2", title), *content, class_=classes or None)


def halves(sections: Iterable[Html], *, are_groups: bool = False) -> Html:
    """Parts for which, on paper, half of the width is enough: they stand in two columns.

    ``are_groups``: the same table for each group; on paper its fifth column is left out.
    """
    return tag("div", *sections, class_="halves groups" if are_groups else "halves")


def figure(label: str, plot: Html) -> Html:
    """A plot with its caption."""
    return tag("figure", tag("figcaption", label), plot)
