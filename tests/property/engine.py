"""The engine under test, in the oracle's words."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from app.backtest.history import read_arrivals
from app.backtest.replay import Outage, Replay
from app.core.compile import compile_rules
from app.core.decisions import Decision


def run_engine(
    rules: Mapping[str, Any],
    lines: Sequence[Mapping[str, Any]],
    *,
    until_ms: int | None = None,
    outage: tuple[int, int] | None = None,
) -> tuple[list[dict[str, Any]], int]:
    """The engine's decisions in the oracle's words, and how many lines were dead letters."""
    made: list[Decision] = []
    compiled = compile_rules(dict(rules), version="test")
    replay = Replay(compiled, made.append, outage=Outage(*outage) if outage else None)
    replay.run(read_arrivals(orjson.dumps(line) for line in lines), until_ms=until_ms)
    return [in_the_oracles_words(decision) for decision in made], replay.counts["dead_letter"]


def in_the_oracles_words(decision: Decision) -> dict[str, Any]:
    """The part of a decision that the oracle has a say in."""
    return {
        "request_id": decision.request_id,
        "customer_id": decision.customer_id,
        "trigger": decision.trigger,
        "key": decision.key,
        "step": decision.step,
        "outcome": decision.outcome.value,
        "reason": decision.reason.value,
        "channel": decision.channel,
        "due_ms": decision.due_ms,
        "decided_ms": decision.decided_ms,
        "next_eligible_ms": decision.next_eligible_ms,
        "experiment": decision.experiment,
        "template": decision.template,
    }
