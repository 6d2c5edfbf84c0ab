"""The page: one file, escaped, with a table beside each plot."""

import re
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest

from app.backtest.report.days import calendar, with_others
from app.cli import main
from app.html.markup import Html, table, tag

T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z
HOUR = 3_600_000

RULES = """
version: 1
throttle:
  caps: [{limit: 1, per: 1d}]
  quiet_hours: {from: "21:00", to: "08:00", channels: [push]}
holdout: {percent: 50, salt: s}
triggers:
  cart: {kind: event, on: [cart_updated], template: t, channels: [email, push]}
  thanks: {kind: event, on: [order_placed], category: transactional, template: thanks,
           channels: [email]}
"""


@pytest.fixture
def report(tmp_path: Path) -> str:
    """The page about 40 customers who fill a cart three times a day, on two days."""
    lines = [
        {
            "topic": "profiles",
            "event_id": f"p{c}",
            "type": "profile_updated",
            "customer_id": f"<b>{c}",
            "occurred_at": T0,
            "data": {"email": "a@example.com"} if c % 4 else {"push_token": "t"},
        }
        for c in range(40)
    ]
    lines += [
        {
            "topic": "orders",
            "event_id": f"{kind}{c}-{hour}",
            "type": kind,
            "customer_id": f"<b>{c}",
            "occurred_at": T0 + hour * HOUR,
            "data": {},
        }
        for hour in (1, 9, 17, 40)
        for c in range(40)
        for kind in ("cart_updated", "order_placed")
    ]
    rules, events, out = tmp_path / "r.yaml", tmp_path / "e.jsonl", tmp_path / "out"
    rules.write_text(RULES)
    events.write_bytes(b"\n".join(orjson.dumps(line) for line in lines))
    command = ["backtest", "--rules", str(rules), "--events", str(events), "--out", str(out)]
    assert main(command) == 0
    return (out / "report.html").read_text()


class Outline(HTMLParser):
    """What the page is made of, and whether its elements nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.tags: list[str] = []
        self.urls: list[str] = []
        self.labels: list[str] = []

    def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(name)
        if name != "meta":
            self.open.append(name)
        for key, value in attrs:
            if key in ("src", "href", "xlink:href", "srcset"):
                self.urls.append(str(value))
            if name == "svg" and key == "aria-label":
                self.labels.append(str(value))

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_is_whole_and_loads_nothing(report: str) -> None:
    """No script, no address of anything; every element is closed; a phone may lay it out."""
    outline = Outline()
    outline.feed(report)
    assert outline.open == []
    assert outline.urls == []
    assert "script" not in outline.tags
    assert "link" not in outline.tags
    assert not re.search(r"url\(|@import", report)
    assert 'name="viewport"' in report
    assert "@media print" in report


def test_each_plot_has_a_label_and_a_table(report: str) -> None:
    """The numbers of a plot are also in a table."""
    outline = Outline()
    outline.feed(report)
    assert len(outline.labels) == 6
    assert outline.tags.count("table") == 9
    assert outline.tags.count("caption") == 9


def test_the_numbers_are_those_of_the_run(report: str) -> None:
    """Half the people get ghost sends; the cap costs most steps."""
    outline = Outline()
    outline.feed(report)
    text = " ".join(outline.text)
    assert "1 in 24 h" in text
    assert "quiet hours" in text
    assert re.search(r"records read\s+360", text)
    assert "held out (ghost sends)" in text
    for number in ("share", "revenue"):
        assert f'<th scope="col" class="n">{number}</th>' in report


def test_a_run_without_sends_is_reported(tmp_path: Path) -> None:
    """An empty history has a report without plots."""
    rules, events, out = tmp_path / "r.yaml", tmp_path / "e.jsonl", tmp_path / "out"
    rules.write_text("version: 1\ntriggers: {}\n")
    events.write_bytes(b"")
    command = ["backtest", "--rules", str(rules), "--events", str(events), "--out", str(out)]
    assert main(command) == 0
    report = (out / "report.html").read_text()
    assert "Nothing was sent." in report
    assert "<svg" not in report


def test_text_is_escaped_unless_it_is_markup() -> None:
    """In cells, captions and attributes alike."""
    assert tag("p", "<b>", Html("<i>x</i>"), title='"') == '<p title="&quot;">&lt;b&gt;<i>x</i></p>'
    assert "<b>" not in table("<b>", ["<b>"], [["<b>", "<b>"]])


def test_a_table_too_wide_for_a_phone_names_each_cell() -> None:
    """There a row is a list; a long series of numbers is a box that scrolls, not sideways."""
    head = ("trigger", "messages sent", "revenue", "95 % interval")
    row = ("cart_abandoned", 1_994, "a-long-word-of-text", "another-long-word")
    assert 'class="scroll stack"' in table("wide", head, [row])
    assert 'data-head="revenue"' in table("wide", head, [row])
    assert "data-head" not in table("narrow", head[:2], [row[:2]])
    for name, layout in (
        ("push", "scroll long"),
        ("a-trigger-of-a-long-name", "scroll long stack"),
    ):
        days = table("days", ("day", *(name,) * 4), [["d", 1, 2, 3, 4]] * 50)
        assert f'class="{layout}"' in days
        assert (f'data-head="{name}"' in days) == ("stack" in layout)


def test_long_histories_are_put_together_by_week() -> None:
    """Bars stay wide enough to be seen, and no send is lost."""
    shown = calendar(((day, "a", 1) for day in range(20_000, 20_365)), 8)
    assert (shown.unit, len(shown.names)) == ("week", 53)
    assert sum(shown.totals) == 365


def test_small_series_are_added_up() -> None:
    """The last place is for all that have none."""
    series = {"a": [5], "b": [2], "c": [1]}
    assert with_others(series, 2) == {"a": [5], "all others (2)": [3]}
