"""The page about a customer, without a browser: what it is made of, and that nothing gets in."""

import re
from html.parser import HTMLParser

from app.explain.explain import explain
from app.explain.explanation import Explanation
from app.explain.page import CONTENT_SECURITY_POLICY, customer_page
from app.rules_file.load import parse_rules
from tests.unit.explain.test_explain import HOUR, RULES, T0, explained, replayed
from tests.unit.live.web.test_routes import ask

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;"
#: Elements without an end tag.
_VOID = {"meta", "input"}


class Outline(HTMLParser):
    """Elements with their attributes; fails when they do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.texts.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def evil_page() -> str:
    """Everything that others write is markup."""
    customer, decisions = replayed()
    customer.customer_id = EVIL
    customer.profile |= {"first_name": EVIL, "attributes": {EVIL: EVIL}, "locale": EVIL}
    for instance in customer.instances:
        instance.key = EVIL
    for record in decisions:
        record |= {"customer_id": EVIL, "key": EVIL, "template": EVIL, "channel": EVIL}
        record["gates"].append({"gate": EVIL, "verdict": "pass", "channel": EVIL, "x": EVIL})
    rules = parse_rules(RULES.encode())
    return customer_page(explain(customer, rules, T0 + 22 * HOUR, decisions, show_personal=True))


def test_nothing_that_others_write_becomes_markup() -> None:
    """Ids, keys, templates, gates and profile fields are text."""
    outline = Outline(evil_page())
    assert {"script", "img"}.isdisjoint(name for name, _ in outline.elements)
    assert not [name for _, attrs in outline.elements for name in attrs if name.startswith("on")]
    assert outline.text.count(EVIL) > 10


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    """It says so to the browser too."""
    outline = Outline(customer_page(explained()))
    links = [attrs["href"] for name, attrs in outline.elements if name == "a"]
    assert all(str(link).startswith("#") for link in links)
    assert not [attrs for _, attrs in outline.elements if attrs.keys() & {"src", "style"}]
    assert {"link", "script", "iframe"}.isdisjoint(name for name, _ in outline.elements)
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    (answer,) = ask("/customers/ann")
    assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_keyboard_and_screen_reader_find_their_way() -> None:
    """The skip link comes first, links lead somewhere, landmarks and headings are in order."""
    page = customer_page(explained())
    outline = Outline(page)
    focusable = [each for each in outline.elements if each[0] in ("a", "summary", "button")]
    assert focusable[0] == ("a", {"href": "#timeline", "class": "skip"})
    ids = [attrs["id"] for _, attrs in outline.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {f"#{each}" for each in ids} >= {a["href"] for n, a in outline.elements if n == "a"}
    for landmark in ("header", "nav", "main", "h1"):
        assert outline.count(landmark) == 1
    assert all(a.get("aria-labelledby") in ids for n, a in outline.elements if n == "section")
    headings = [name for name, _ in outline.elements if re.fullmatch("h[1-6]", name)]
    assert headings == ["h1", "h2", "h2", "h2"]
    assert outline.elements[0] == ("html", {"lang": "en"})
    assert outline.count("title") == 1
    assert outline.count("details") == outline.count("summary") > 0
    assert not [a for _, a in outline.elements if int(a.get("tabindex") or 0) > 0]
    assert ":focus-visible" in page
    assert "outline: none" not in page
    assert 'name="viewport"' in page


def shown(explanation: Explanation) -> str:
    return Outline(customer_page(explanation)).text


def test_the_timeline_has_the_words_of_the_explanation() -> None:
    """What is to come comes first, then what was; no personal data."""
    text = shown(explained())
    order = [
        "To come · cart c1",
        "possible again tomorrow 02:00",
        "what set off cart c1",
        "sent by email",
        "first order",
        "Profile · attributes",
    ]
    places = [text.index(each) for each in order]
    assert places == sorted(places)
    assert "stopped: email: 2 of 2 messages in the last 24 h" in text
    for secret in ("ann@example.com", "Ann", "+43123", "1990-05-06", "gold"):
        assert secret not in text
