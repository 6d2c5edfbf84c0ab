"""The engine under test, in the oracle's words."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from app.backtest.clock import Outage
from app.backtest.history import arrived_before, first_arrival_ms, read_arrivals
from app.backtest.replay import Replay
from app.core.compile import compile_rules
from app.core.decisions import Decision
from app.core.outcomes import SendOutcome
from app.core.rules.model import Rules
from app.core.time.instants import END_OF_TIME_MS
from app.rules_file.load import read_model
from tests.oracle.best_channel import FOLDER


def run_engine(
    rules: Mapping[str, Any],
    lines: Sequence[Mapping[str, Any]],
    *,
    until_ms: int | None = None,
    outage: tuple[int, int] | None = None,
) -> tuple[list[dict[str, Any]], int]:
    """The engine's decisions in the oracle's words, and how many lines were dead letters."""
    made, _, dead_letters = run_whole_engine(rules, lines, until_ms=until_ms, outage=outage)
    return made, dead_letters


def run_whole_engine(
    rules: Mapping[str, Any],
    lines: Sequence[Mapping[str, Any]],
    *,
    until_ms: int | None = None,
    outage: tuple[int, int] | None = None,
    state: Sequence[Mapping[str, Any]] = (),
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
    """The same with what the sends led to; ``state`` is an earlier history."""
    made: list[Decision] = []
    outcomes: list[SendOutcome] = []
    compiled = compiled_rules(rules)
    replay = Replay(
        compiled, made.append, outcome=outcomes.append, outage=Outage(*outage) if outage else None
    )
    arrivals = read_arrivals(orjson.dumps(line) for line in lines)
    if state:
        first_ms, arrivals = first_arrival_ms(arrivals)
        from_ms = END_OF_TIME_MS if first_ms is None else first_ms
        before = read_arrivals(orjson.dumps(line) for line in state)
        replay.learn(arrived_before(before, from_ms), from_ms)
    replay.run(arrivals, until_ms=until_ms)
    return (
        [in_the_oracles_words(decision) for decision in made],
        [outcome_in_the_oracles_words(outcome) for outcome in outcomes],
        replay.counts["dead_letter"],
    )


def compiled_rules(rules: Mapping[str, Any], version: str = "test") -> Rules:
    """The rules as the engine has them, with the model that they name."""
    model = read_model(FOLDER / rules["model"]) if "model" in rules else None
    return compile_rules(dict(rules), version=version, model=model)


def outcome_in_the_oracles_words(outcome: SendOutcome) -> dict[str, Any]:
    """All of an outcome; of its cause the event's id."""
    return {
        "request_id": outcome.request_id,
        "customer_id": outcome.customer_id,
        "trigger": outcome.trigger,
        "step": outcome.step,
        "channel": outcome.channel,
        "experiment": outcome.experiment,
        "segments": outcome.segments,
        "ghost": outcome.is_ghost,
        "kind": outcome.kind.value,
        "role": outcome.role,
        "value": outcome.value,
        "margin": outcome.margin,
        "currency": outcome.currency,
        "score": outcome.score,
        "latency_ms": outcome.latency_ms,
        "occurred_ms": outcome.occurred_ms,
        "event_id": outcome.cause.event_id,
        "merged_from": outcome.merged_from,
    }


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
        "anchor_ms": decision.anchor_ms,
        "due_ms": decision.due_ms,
        "decided_ms": decision.decided_ms,
        "next_eligible_ms": decision.next_eligible_ms,
        "experiment": decision.experiment,
        "segments": decision.segments,
        "template": decision.template,
        "merged_from": decision.merged_from,
        "tokens": None if decision.dispatch is None else decision.dispatch.tokens,
    }
