"""Pages on paper: how many sheets of A4 they take, and whether their captions stay apart."""

import asyncio
import base64
import json
import re
from pathlib import Path

import pytest

from app.cli import main
from app.core.time.instants import DAY_MS
from tests.process.chromium import Tab, chromium
from tests.unit.analysis.files import T0, bought, decision, outcome, write_lines

DEFAULT_RULES = Path(__file__).parents[3] / "deploy" / "rules.yaml"
#: Triggers of these rules, two of them of abandonment.
PRINTED = (
    *("booking_abandoned_at_itinerary", "cart_abandoned", "birthday", "every_fifth_order"),
    *("first_purchase", "loyalty_reward", "repeat_purchase", "review_request", "win_back", "vip"),
)
#: Between the margins of A4, in CSS pixels.
_SHEET_WIDTH = 733
_VARIANTS = [f"wording_of_the_first_message_variant_{letter}" for letter in "abc"]


async def sheets(folder: Path, names: list[str]) -> list[int]:
    """How many sheets each page takes; no caption runs out of its place."""
    async with chromium(folder) as tab:
        return [await _sheets_of(tab, folder / name) for name in names]


async def _sheets_of(tab: Tab, path: Path) -> int:
    await tab.open(f"file://{path}", _SHEET_WIDTH)
    await tab.command("Emulation.setEmulatedMedia", media="print")
    wide = "[...document.querySelectorAll('figcaption')].filter(e => e.scrollWidth > e.clientWidth)"
    assert await tab.ask(f"{wide}.map(e => e.textContent).join()") == "", path.name
    await tab.command("Emulation.setEmulatedMedia", media="")
    printed = await tab.command("Page.printToPDF", preferCSSPageSize=True)
    return len(re.findall(rb"/Type /Page\b", base64.b64decode(printed["data"])))


@pytest.mark.needs_browser
@pytest.mark.slow
def test_kpis_and_report_of_the_default_rules_print_on_one_sheet_each_and_groups_on_three(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten triggers with messages and a holdout, two of them with a funnel, on A4."""
    decisions, outcomes, lines = [], [], []
    for number in range(600):
        name, customer, is_ghost = f"m{number}", f"c{number % 150}", number % 10 == 9
        trigger = PRINTED[number // 10 % 10]
        kind = "holdout" if is_ghost else "send"
        decisions.append(decision(name, customer, trigger=trigger, outcome=kind, day=number % 29))
        kinds = ("conversion", "recovery", "opened", "clicked", "delivered", "surveyed")
        for place, kind in enumerate(kinds[: 2 if is_ghost else None]):
            if number % (place + 2) == 0:
                value = 20.0 if kind in ("conversion", "recovery") else None
                outcomes.append(
                    outcome(
                        name,
                        kind,
                        trigger=trigger,
                        ghost=is_ghost,
                        day=29,
                        value=value,
                        role="direct" if kind == "conversion" else None,
                    )
                )
        for topic, kind in (("orders", "cart_updated"), ("orders", "order_placed")):
            data = {"cart_id": name, "order_id": name, "value": 20, "currency": "EUR"}
            event = {"topic": topic, "event_id": f"{kind}{number}", "type": kind, "data": data}
            at_ms = T0 + number % 29 * DAY_MS
            lines.append({**event, "customer_id": customer, "occurred_at": at_ms})
    history = write_lines(tmp_path / "e.jsonl", sorted(lines, key=lambda line: line["occurred_at"]))
    told = ["--decisions", str(write_lines(tmp_path / "d.jsonl", decisions))]
    told += ["--outcomes", str(write_lines(tmp_path / "o.jsonl", outcomes))]
    known = ["--events", str(history), "--rules", str(DEFAULT_RULES)]
    assert main(["backtest", *known, "--out", str(tmp_path / "out")]) == 0
    for name, by in (("kpis", []), ("groups", ["--by", "trigger"])):
        capsys.readouterr()
        assert main(["kpis", *told, *known, *by, "--format", "html"]) == 0
        (tmp_path / f"{name}.html").write_text(capsys.readouterr().out, encoding="utf-8")
    names = ["kpis.html", "out/report.html", "groups.html"]
    assert asyncio.run(sheets(tmp_path, names)) == [1, 1, 3]


def _experiment(trigger: str, metric: str) -> dict[str, object]:
    return {
        "trigger": trigger,
        "hypothesis": "the words of the first message decide whether people come back",
        "metric": metric,
        "salt": trigger,
        "start": "2026-01-01",
        "min_sample": 60,
        "max_duration": "60d",
        "guardrail": {"metric": "unsubscribed", "worst": 0.05},
        "variants": {name: {"template": name} for name in _VARIANTS},
    }


@pytest.mark.needs_browser
@pytest.mark.slow
def test_three_experiments_with_long_names_print_on_two_sheets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of three variants each, with a guardrail; one has a winner and what it is worth. On a
    screen, ten columns leave room for a name of 25 letters.
    """
    step = {"kind": "event", "on": ["subscribed"], "template": "t", "channels": ["email"]}
    metrics = {"welcome": "conversion", "win_back": "opened", "thanks": "review"}
    names = {trigger: f"which_words_of_{trigger}_bring_most_customers_back" for trigger in metrics}
    document = {
        "version": 1,
        "channels": {"email": {"requires": "email"}},
        "triggers": dict.fromkeys(metrics, step),
        "experiments": {names[each]: _experiment(each, metric) for each, metric in metrics.items()},
    }
    rules = tmp_path / "rules.yaml"
    rules.write_text(json.dumps(document), encoding="utf-8")
    decisions, outcomes = [], []
    for number in range(600):
        trigger, variant = list(metrics)[number % 3], number // 3 % 3
        arm = (names[trigger], _VARIANTS[variant])
        name = f"m{number}"
        decisions.append(decision(name, name, trigger=trigger, experiment=arm, day=number / 40))
        if trigger == "welcome" and number % 5 <= variant * 2:
            outcomes.append(bought(name, 30, trigger=trigger, day=number / 40 + 1))
        if trigger == "win_back" and number % 2:
            outcomes.append(outcome(name, "opened", trigger=trigger, day=number / 40 + 1))
    told = ["--decisions", str(write_lines(tmp_path / "d.jsonl", decisions))]
    told += ["--outcomes", str(write_lines(tmp_path / "o.jsonl", outcomes))]
    told += ["--now", "2026-03-01T00:00:00Z", "--rules", str(rules)]
    assert main(["experiments", *told, "--format", "html"]) == 0
    page = capsys.readouterr().out
    assert "Worth a month" in page
    (tmp_path / "experiments.html").write_text(page, encoding="utf-8")
    assert asyncio.run(sheets(tmp_path, ["experiments.html"])) == [2]
    assert asyncio.run(_narrowest_name(tmp_path / "experiments.html")) >= 200


async def _narrowest_name(path: Path) -> int:
    """The width in pixels of the narrowest first column, and no table scrolls sideways."""
    names = "[...document.querySelectorAll('tbody th')].map(e => e.clientWidth)"
    wide = "[...document.querySelectorAll('.scroll')].some(e => e.scrollWidth > e.clientWidth)"
    async with chromium(path.parent) as tab:
        await tab.open(f"file://{path}", 1280)
        assert await tab.ask(wide) is False
        return int(await tab.ask(f"Math.min(...{names})"))
