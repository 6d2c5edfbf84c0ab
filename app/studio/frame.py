"""What the studio's pages share: the navigation, the search, the style."""

from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from typing import Final
from urllib.parse import urlencode

from app.explain.page import PAGE_STYLE
from app.html.document import document, report_style, security_policy
from app.html.markup import Html, tag

_STUDIO_STYLE: Final = files("app.studio").joinpath("studio.css").read_text(encoding="utf-8")
STYLE: Final = report_style() + _STUDIO_STYLE
CUSTOMER_STYLE: Final = PAGE_STYLE + _STUDIO_STYLE
#: Of pages with the reports' style, of the page about a customer, and of the report itself, which
#: is a file that brings its style along.
POLICY: Final = security_policy(STYLE, has_forms=True)
CUSTOMER_POLICY: Final = security_policy(CUSTOMER_STYLE, has_forms=True)
REPORT_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)

OVERVIEW: Final = "/"
DECISIONS: Final = "/decisions"
CUSTOMERS: Final = "/customers"
CUSTOMER: Final = "/customer"
PLAN: Final = "/plan"
REPORT: Final = "/report"
_PLACES: Final = (
    (OVERVIEW, "Overview"),
    (DECISIONS, "Decisions"),
    (PLAN, "Plan"),
    (REPORT, "Report"),
)


def page(title: str, place: str, *content: Html, find: str = "") -> str:
    """The HTML document of one page; ``place`` is where it is in the navigation."""
    above = Html(
        tag("a", "Skip to the content", href="#content", class_="skip") + navigation(place, find)
    )
    return document(f"{title} · Studio", *content, style=STYLE, above=above)


def navigation(place: str, find: str = "") -> Html:
    """Links to all pages, and the search for a customer."""
    links = (
        tag("a", name, href=path, aria_current="page" if path == place else None)
        for path, name in _PLACES
    )
    search = tag(
        "form",
        tag(
            "label",
            "Customer: id, name or address",
            void("input", name="find", type="search", value=find, autocomplete="off"),
        ),
        tag("button", "Find"),
        action=CUSTOMERS,
        role="search",
    )
    return tag("nav", *links, search, class_="studio", aria_label="Studio")


def void(name: str, /, **attributes: str) -> Html:
    """An element that has no end tag."""
    return Html(tag(name, **attributes).removesuffix(f"</{name}>"))


def choice(
    label: str,
    name: str,
    options: Iterable[str],
    chosen: str | None,
    title_of: Callable[[str], str] = str,
) -> Html:
    """A drop-down list whose first line stands for all."""
    shown = [tag("option", "all", value="")]
    shown += [
        tag("option", title_of(option), value=option, selected="" if option == chosen else None)
        for option in options
    ]
    return tag("label", label, tag("select", *shown, name=name))


def link(text: object, path: str, query: Mapping[str, str]) -> Html:
    """A link with its query."""
    return tag("a", text, href=f"{path}?{urlencode(query)}")


def customer_link(customer_id: str) -> Html:
    """To the page about a customer."""
    return link(customer_id, CUSTOMER, {"id": customer_id})


def wrong_page(title: str, text: str) -> str:
    """A page that says what is wrong, and what was expected."""
    return page(title, "", tag("h1", title), tag("p", text, class_="wrong"))
