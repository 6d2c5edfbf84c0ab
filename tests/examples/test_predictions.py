"""What a model file says of a customer, in conditions, tokens and channels, worked out by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.cli import main
from tests.examples.backtest import read_lines, run_backtest, write_json_lines
from tests.examples.test_triggers import HOUR, START, Run, event, rules, updated

MODEL = {
    "version": 1,
    "next_product": {"fact": "last_product", "after": {"shoe": "sock"}, "otherwise": "hat"},
}
RULES = rules(
    top={
        "model": "model.json",
        "facts": {
            "last_product": {"last": "order_placed.items.sku"},
            "last_theme": {"last": "survey_answered.theme"},
        },
        "segments": {
            "sock_people": {"field": "customer.next_product", "op": "eq", "value": "sock"}
        },
    },
    recommendation={
        "kind": "event",
        "on": ["delivered"],
        "when": {"field": "customer.next_product", "op": "exists", "value": True},
        "tokens": {"product": "customer.next_product", "theme": "customer.last_theme"},
        "template": "you-may-like",
        "channels": ["email"],
    },
)
BOTH = {
    "version": 1,
    "channels": {"email": {"requires": "email"}, "push": {"requires": "push_token"}},
}


def decided(folder: Path, lines: list[dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    """Decisions and send requests of a backtest with the model beside the rules."""
    (folder / "model.json").write_text(json.dumps(MODEL))
    (folder / "rules.yaml").write_text(json.dumps(RULES))
    write_json_lines(folder / "events.jsonl", lines)
    out = folder / "out"
    assert run_backtest(out, folder / "rules.yaml", folder / "events.jsonl") == 0
    return read_lines(out / "decisions.jsonl"), read_lines(out / "dispatch.jsonl")


@pytest.mark.parametrize(
    ("bought", "product", "segments"),
    [(["cup", "shoe"], "sock", ["sock_people"]), (["shoe", "cup"], "hat", [])],
)
def test_the_next_product_goes_by_the_last_one(
    tmp_path: Path, bought: list[str], product: str, segments: list[str]
) -> None:
    """What is bought after it, else what is sold most; conditions, segments and tokens have it."""
    lines = [
        updated(START, email="ann@x"),
        event("order_placed", START + HOUR, items=[{"sku": sku} for sku in bought]),
        event("survey_answered", START + 2 * HOUR, topic="engagement", score=3, theme="size"),
        event("delivered", START + 3 * HOUR),
    ]
    (decision,), (request,) = decided(tmp_path, lines)
    assert decision["segments"] == segments
    assert request["tokens"] == {"product": product, "theme": "size"}


def test_reports_by_segment_know_declared_facts_and_the_next_product(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the records that a backtest keeps, as of its end: the rules' segments with their model."""
    lines = [
        updated(START, email="ann@x"),
        event("order_placed", START + HOUR, items=[{"sku": "shoe"}]),
        event("delivered", START + 3 * HOUR),
    ]
    decided(tmp_path, lines)
    capsys.readouterr()
    out, rules_path = tmp_path / "out", tmp_path / "rules.yaml"
    files = ["--decisions", str(out / "decisions.jsonl"), "--outcomes", str(out / "outcomes.jsonl")]
    command = ["kpis", *files, "--by", "segment", "--customers", str(out / "customers.jsonl")]
    assert main([*command, "--rules", str(rules_path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["sizes"]["sock_people"]["members"] == 1


def test_without_a_purchase_there_is_no_next_product(tmp_path: Path) -> None:
    """The fact that it goes by is missing, so that nothing is recommended."""
    lines = [updated(START, email="ann@x"), event("delivered", START + HOUR)]
    assert decided(tmp_path, lines) == ([], [])


def test_the_best_channel_comes_first(run: Run) -> None:
    """Of everybody 75 % open e-mail and 25 % push, which weigh as two messages. After an e-mail
    that was not opened it is (0 + 1.5) / 3 = 50 % against 25 %; after two 37.5 %, after five 21 %,
    so that the sixth goes by push, whatever the customer prefers.
    """
    hello = {"kind": "event", "on": ["subscribed"], "template": "t", "channels": "best"}
    document = BOTH | {"model": "apart.json", "triggers": {"hello": hello}}
    profile = updated(START, email="ann@x", push_token="p", channels=["push"])  # noqa: S106
    lines = [profile, *(event("subscribed", START + n * HOUR) for n in range(1, 7))]
    made = run(document, lines)
    assert [each["channel"] for each in made] == ["email"] * 5 + ["push"]
