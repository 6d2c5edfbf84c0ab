"""Inputs made after public bug reports, through the real backtest: each folder of ``cases`` with a
``want.jsonl`` says what people expect of it.
"""

import math
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.cli import main
from tests.examples.backtest import read_lines, run_backtest

CASES = sorted(path.parent for path in Path(__file__).parent.glob("cases/*/want.jsonl"))
#: What a line of ``want.jsonl`` has, in order.
FIELDS = ("customer_id", "trigger", "step", "outcome", "reason", "channel", "decided_at")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case_is_decided_as_people_expect(case: Path, tmp_path: Path) -> None:
    """Every decision, in order."""
    made = backtest_of(case.name, tmp_path, "decisions.jsonl")
    want = [orjson.loads(line) for line in (case / "want.jsonl").read_bytes().splitlines()]
    assert [[decision[name] for name in FIELDS] for decision in made] == want


def test_recall_repeats_the_content_of_its_send(tmp_path: Path) -> None:
    """Address and tokens are those of the send, though the profile has changed since."""
    send, recall = backtest_of("recall-address", tmp_path, "dispatch.jsonl")
    said = ("request_id", "address", "template", "locale", "tokens")
    assert [recall[name] for name in said] == [send[name] for name in said]
    assert (recall["kind"], recall["address"]) == ("recall", "ada@old.example")
    assert recall["tokens"] == {"name": "Ada", "sku": "shoe", "orders": 0}


def test_machine_opens_are_no_outcomes(tmp_path: Path) -> None:
    """Of five opens by a scanner nothing is recorded; the purchase is, for the last send."""
    led_to = backtest_of("25-machine-opens", tmp_path, "outcomes.jsonl")
    assert "opened" not in {outcome["kind"] for outcome in led_to}


def test_sums_over_the_range_of_a_double_leave_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file holds Infinity or NaN, the sum counts as missing, and the report on it works."""
    sent = backtest_of("09-sum-over-double", tmp_path, "dispatch.jsonl")
    spends = [
        (line["customer_id"], line["tokens"]["spend"]) for line in sent if "spend" in line["tokens"]
    ]
    assert all(spend is None or math.isfinite(spend) for _, spend in spends)
    assert ("ovf", None) in spends
    assert ("ok", 40) in spends
    for path in tmp_path.glob("*.jsonl"):
        assert b"Infinity" not in path.read_bytes()
        assert b"NaN" not in path.read_bytes()
        read_lines(path)
    files = ["--outcomes", str(tmp_path / "outcomes.jsonl")]
    files += ["--decisions", str(tmp_path / "decisions.jsonl")]
    written = {}
    for form in ("json", "table", "html"):
        capsys.readouterr()
        assert main(["kpis", *files, "--format", form]) == 0
        written[form] = capsys.readouterr().out
    assert orjson.loads(written["json"])
    for text in written.values():
        assert re.search(r"\b(inf|nan)\b", text, re.IGNORECASE) is None
        assert "beyond the range of numbers" in " ".join(text.split())
        assert re.search(r"\d{3}(\s\d{3}){5}", text) is None


#: Conditions of case 32 that mean what they say.
SOUND = {"age", "consent", "ne-missing"}
#: Those that may be meant: a text of the shop's own, a ``not`` that holds for what is missing.
DOUBTFUL = {"bool-text", "not-empty"}


@pytest.mark.parametrize(
    "rules",
    sorted((Path(__file__).parent / "cases" / "32-conditions-that-never-hold").glob("*.yaml")),
    ids=lambda path: path.stem,
)
def test_conditions_that_never_hold_are_refused_or_warned_of(rules: Path) -> None:
    """The impossible ones are errors, those that may be meant are warnings: --strict stops both."""
    assert main(["validate", str(rules), "--strict"]) == (0 if rules.stem in SOUND else 2)
    assert main(["validate", str(rules)]) == (0 if rules.stem in SOUND | DOUBTFUL else 2)


def backtest_of(case: str, folder: Path, file: str) -> list[dict[str, Any]]:
    """The lines of one file that the backtest of a case writes."""
    inputs = Path(__file__).parent / "cases" / case
    options = ["--until", "2026-03-20T00:00:00Z"]
    assert run_backtest(folder, inputs / "rules.yaml", inputs / "events.jsonl", *options) == 0
    return read_lines(folder / file)
