"""The pages: whole, escaped, with a table beside each plot, and shown by a browser."""

import asyncio
import re
from pathlib import Path

import pytest

from app.cli import main
from app.html.interval_plot import Spread, axis, intervals
from tests.process.chromium import chromium
from tests.process.test_page import in_chromium
from tests.unit.analysis.files import bought, decision, outcome, write_lines
from tests.unit.analysis.test_print import sheets
from tests.unit.backtest.report.test_page import Outline

RULES = """\
version: 1
triggers:
  cart: {kind: abandonment, start: cart_updated, key: cart_id, template: t, channels: [email]}
experiments:
  NAME:
    {trigger: cart, hypothesis: "<i>warmer</i> is better", salt: s, start: "2026-01-01",
     min_sample: 30, variants: {plain: {}, warm: {template: warm}}}
"""
#: No browser breaks it by itself.
NAME = "warm_or_plain_copy_for_customers_who_come_back"


@pytest.fixture
def pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Each command's page on one small history with everything in it."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES.replace("NAME", NAME))
    decisions, outcomes, events = [], [], []
    for number in range(80):
        variant = "warm" if number % 2 else "plain"
        name, customer = f"m{number}", f"<script>{number % 60}"
        verdict = "holdout" if number % 10 == 9 else "send"
        decisions.append(
            decision(name, customer, outcome=verdict, experiment=(NAME, variant), day=1)
        )
        events.append(
            {
                "topic": "orders",
                "event_id": name,
                "type": "order_placed",
                "customer_id": customer,
                "occurred_at": 1_767_225_600_000 + number * 4 * 86_400_000,
                "data": {"value": 10 + number % 7, "currency": "EUR", "order_id": f"m{number}"},
            }
        )
        viewed = {"event_id": f"v{number}", "type": "product_viewed"}
        events.append({**events[-1], **viewed})
        if number % 3 == 0:
            is_ghost = verdict == "holdout"
            outcomes.append(bought(name, 20, ghost=is_ghost))
            outcomes.append(outcome(name, "recovery", value=20, ghost=is_ghost))
        if number % 4 == 0 and verdict == "send":
            outcomes.append(outcome(name, "opened"))
        if number == 4:
            outcomes.append(outcome(name, "unsubscribed"))
    files = {
        "--decisions": write_lines(tmp_path / "d.jsonl", decisions),
        "--outcomes": write_lines(tmp_path / "o.jsonl", outcomes),
    }
    history = str(write_lines(tmp_path / "e.jsonl", events))
    both = [str(part) for option in files.items() for part in option]
    commands = {
        "kpis": ["kpis", *both, "--events", history, "--rules", str(rules), "--by", "variant"],
        "experiments": ["experiments", *both, "--rules", str(rules)],
        "funnel": [
            *["funnel", *both, "--events", history, "--stages", "product_viewed,order_placed"],
            *["--key", "order_id"],
        ],
        "segments": ["segments", "fit", "--events", history, "--out", str(tmp_path / "m.json")],
    }
    found = {}
    for name, command in commands.items():
        capsys.readouterr()
        assert main([*command, "--format", "html"]) == 0
        found[name] = capsys.readouterr().out
    return found


@pytest.mark.parametrize("name", ["kpis", "experiments", "funnel", "segments"])
def test_each_page_is_whole_and_loads_nothing(pages: dict[str, str], name: str) -> None:
    """Every element is closed, nothing is fetched or run, every plot has a label and a table."""
    page = pages[name]
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    assert outline.urls == []
    assert not {"script", "link", "i"} & set(outline.tags)
    assert not re.search(r"url\(|@import", page)
    assert 'name="viewport"' in page
    assert len(outline.labels) == outline.tags.count("svg") > 0
    assert outline.tags.count("table") == outline.tags.count("caption") > 0
    assert "nan" not in " ".join(outline.text).lower().split()


def test_the_kpi_page_has_its_parts(pages: dict[str, str]) -> None:
    """Lift, funnel, opt-outs, cohorts, and the groups that were asked for."""
    outline = Outline()
    outline.feed(pages["kpis"])
    text = " ".join(outline.text)
    for part in (
        "Lift over the holdout",
        "Funnel: cart",
        "Messages per customer against opt-outs",
        "Repeat purchase latency",
        "By variant",
        f"variant: {NAME}: plain",
    ):
        assert part in text
    for stage in ("abandoned", "reminded", "opened", "clicked", "recovered"):
        assert stage in outline.text


def test_the_other_pages_say_what_they_found(pages: dict[str, str]) -> None:
    """The hypothesis, escaped; clusters by name, and why there is no high-value model."""
    outline = Outline()
    outline.feed(pages["experiments"])
    assert any("<i>warmer</i> is better" in text for text in outline.text)
    assert any(text.startswith("running") for text in outline.text)
    outline = Outline()
    outline.feed(pages["segments"])
    text = " ".join(outline.text)
    assert "Portraits" in text
    assert "No high-value model" in text


@pytest.mark.needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [500, 1200])
def test_a_browser_shows_the_pages(pages: dict[str, str], tmp_path: Path, width: int) -> None:
    """Each has a picture, and no part of it is wider than the window."""
    for name, page in pages.items():
        path, picture = tmp_path / f"{name}.html", tmp_path / f"{name}.png"
        measure = (
            "<script>document.title = document.documentElement.scrollWidth + ' of '"
            " + window.innerWidth</script></body>"
        )
        path.write_text(page.replace("</body>", measure), encoding="utf-8")
        url, size = f"file://{path}", f"--window-size={width},900"
        dom = in_chromium(url, tmp_path, "--dump-dom", size)
        wide, window = re.search(r"<title>(\d+) of (\d+)</title>", dom).groups()  # type: ignore[union-attr]
        assert int(wide) <= int(window), name
        in_chromium(url, tmp_path, f"--screenshot={picture}", size)
        assert picture.stat().st_size > 10_000


@pytest.mark.needs_browser
@pytest.mark.slow
def test_nothing_scrolls_off_a_phone_and_a_summary_prints_on_one_sheet(
    pages: dict[str, str], tmp_path: Path
) -> None:
    """At 390 px no table is wider than its place; an experiment and a funnel fit on A4."""
    for name, page in pages.items():
        (tmp_path / f"{name}.html").write_text(page, encoding="utf-8")
    asyncio.run(_fit_a_phone(list(pages), tmp_path))
    names = ["experiments.html", "funnel.html"]
    assert asyncio.run(sheets(tmp_path, names)) == [1, 1]


async def _fit_a_phone(names: list[str], folder: Path) -> None:
    wide = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)"
    async with chromium(folder) as tab:
        for name in names:
            await tab.open(f"file://{folder / name}.html", 390)
            assert await tab.ask("document.documentElement.scrollWidth") <= 390, name
            assert await tab.ask(f"{wide}.map(e => e.ariaLabel).join()") == "", name


def test_the_axis_has_round_numbers_and_room() -> None:
    """Ticks at even distances around all values; zero is one of them when it is inside."""
    assert axis(0.0, 1.0) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert axis(-0.013, 0.021) == pytest.approx([-0.02, -0.01, 0.0, 0.01, 0.02, 0.03])
    assert axis(0.0, 0.0) == [0.0, 0.25]
    for low, high in ((-3.7, 112.0), (-1e-6, 0.0), (0.0, 99_999.0)):
        ticks = axis(low, high)
        assert ticks[0] <= low
        assert ticks[-1] >= high
        assert 0.0 in ticks
        assert len(ticks) <= 7


def test_an_interval_has_a_text_for_screen_readers() -> None:
    """The title has value and interval in full; only the drawn label is shortened."""
    drawn = intervals("A & B", [Spread("a" * 40, 0.5, 0.25, 0.75)], lambda v: f"{v:.0%}")
    assert f"<title>{'a' * 40}: 50% (25% to 75%)</title>" in drawn
    assert 'aria-label="A &amp; B"' in drawn
    assert f">{'a' * 10}…{'a' * 10}<" in drawn
