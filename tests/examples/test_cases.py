"""Inputs made after public bug reports, through the real backtest: each folder of ``cases`` with a
``want.jsonl`` says what people expect of it.
"""

from pathlib import Path
from typing import Any

import orjson
import pytest

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


def test_recall_repeats_what_its_send_said(tmp_path: Path) -> None:
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


def backtest_of(case: str, folder: Path, file: str) -> list[dict[str, Any]]:
    """The lines of one file that the backtest of a case writes."""
    inputs = Path(__file__).parent / "cases" / case
    options = ["--until", "2026-03-20T00:00:00Z"]
    assert run_backtest(folder, inputs / "rules.yaml", inputs / "events.jsonl", *options) == 0
    return read_lines(folder / file)
