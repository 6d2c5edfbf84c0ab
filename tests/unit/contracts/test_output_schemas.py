"""What goes out is what the contract says: every key, of its type, and nothing else."""

import io
import json
from functools import cache

import jsonschema
import msgspec
import orjson
from hypothesis import given
from ruamel.yaml import YAML

from app.backtest.clock import Outage
from app.backtest.history import read_arrivals
from app.backtest.replay import Replay
from app.contracts.outputs import Decision, OutcomeRecord, SendRequest
from app.core import decisions
from app.core.outcomes import SendOutcome
from app.formats.encode import written, written_outcome
from app.rules_file.load import parse_rules
from tests.effort import examples
from tests.oracle.best_channel import FOLDER
from tests.oracle.strategies import Scenario, scenarios
from tests.unit.contracts.judging import ROOT


@cache
def validator(path: str) -> jsonschema.Draft7Validator:
    """Of a shipped file."""
    schema = json.loads((ROOT / "deploy" / "schemas" / path).read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def assert_as_said(line: bytes, record: type[msgspec.Struct], path: str) -> None:
    """By the type, which knows every key, and by the schema in the file."""
    msgspec.json.decode(line, type=record)
    errors = [error.message for error in validator(path).iter_errors(orjson.loads(line))]
    assert errors == []
    assert orjson.loads(line).keys() == set(record.__struct_fields__)


def run(scenario: Scenario) -> tuple[list[decisions.Decision], list[SendOutcome]]:
    """What the engine decides, and what that leads to."""
    stream = io.BytesIO()
    YAML(typ="safe").dump(scenario.rules, stream)
    made: list[decisions.Decision] = []
    led_to: list[SendOutcome] = []
    outage = None if scenario.outage is None else Outage(*scenario.outage)
    rules = parse_rules(stream.getvalue(), folder=FOLDER)
    replay = Replay(rules, made.append, outcome=led_to.append, outage=outage)
    replay.run(read_arrivals(map(orjson.dumps, scenario.lines)), until_ms=scenario.until_ms)
    return made, led_to


@given(scenarios())
@examples(60)
def test_whatever_goes_out_is_as_the_contract_says(scenario: Scenario) -> None:
    """Random rules and histories: recalls, ghosts, experiments, gates with all their figures."""
    made, led_to = run(scenario)
    for outcome in led_to:
        assert_as_said(written_outcome(outcome), OutcomeRecord, "outcomes/outcome.json")
    for decision in made:
        record, request = written(decision)
        assert_as_said(record, Decision, "decisions/decision.json")
        if request is not None:
            assert_as_said(request, SendRequest, "dispatch/send_request.json")


def test_the_gates_and_reasons_are_named() -> None:
    """Every reason of the code; a gate that the code does not have is refused."""
    path = ROOT / "deploy" / "schemas" / "decisions" / "decision.json"
    schema = json.loads(path.read_text())
    assert set(schema["properties"]["reason"]["enum"]) == set(decisions.Reason)
    assert set(schema["properties"]["outcome"]["enum"]) == set(decisions.Outcome)
    gate = schema["properties"]["gates"]["items"]["properties"]["gate"]
    assert "cooldown" in gate["enum"]
    assert "no_such_gate" not in gate["enum"]


def test_an_outcome_is_as_agreed() -> None:
    """One line of the topic; keys may be added later without breaking anybody."""
    line = orjson.dumps(
        {
            "request_id": "5d0c0b5c-0000-5000-8000-000000000000",
            "customer_id": "c1",
            "trigger": "cart_abandoned",
            "step": 0,
            "channel": "email",
            "experiment": {"name": "cart_timing", "variant": "late"},
            "design": "0123456789abcdef",
            "segments": ["loyal"],
            "cluster": None,
            "ghost": False,
            "kind": "conversion",
            "role": "direct",
            "value": 69.5,
            "margin": 12,
            "currency": "EUR",
            "score": None,
            "latency_s": 5400.0,
            "occurred_at": "2026-03-01T12:00:00.000Z",
            "cause": {"topic": "orders", "partition": 0, "offset": 17, "event_id": "e-991"},
        }
    )
    assert_as_said(line, OutcomeRecord, "outcomes/outcome.json")
    later = orjson.loads(line) | {"region": "eu"}
    assert validator("outcomes/outcome.json").is_valid(later)
    assert not validator("outcomes/outcome.json").is_valid(later | {"latency_s": -1})
