"""A schema accepts what the engine accepts, and refuses what becomes a dead letter."""

import json
from datetime import date
from functools import cache
from typing import Any
from zoneinfo import available_timezones

import jsonschema
import orjson
import pytest
from hypothesis import given

from app.contracts.events import data_schema
from app.contracts.fields import READ
from app.core.compile import compile_rules
from app.core.customer.profile import ProfileError, parse_update
from app.core.customer.record import Customer
from app.core.time.instants import MAX_MS, MIN_MS, parse_rfc3339
from app.publish.check.lines import check_line
from tests.effort import examples
from tests.unit.contracts.judging import (
    ROOT,
    SHIPPED_TYPES,
    refusal,
    shipped_example,
    shipped_rules,
)
from tests.unit.contracts.strategies import Event, events

#: How the schema refuses a channel that the rules do not have: (field, JSON Schema's keyword).
CHANNEL_ERRORS = {("channels", "enum"), ("consent", "additionalProperties")}


@cache
def validator(topic: str, name: str) -> jsonschema.Draft7Validator:
    """Of the shipped file."""
    path = ROOT / "deploy" / "schemas" / topic / f"{name}.json"
    schema = json.loads(path.read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def is_of_no_use(topic: str, error: jsonschema.ValidationError) -> bool:
    """Whether the schema refuses a value of a data field that the engine takes for missing, or a
    channel that the rules do not have, which it leaves out.
    """
    path = list(error.path)
    if topic == "profiles" and path[:1] == ["data"] and len(path) > 1:
        return (path[1], error.validator) in CHANNEL_ERRORS
    return topic != "profiles" and len(path) == 2 and path[1] in {*READ, "hard", "machine"}


def is_beyond_schemas(event: Event) -> bool:
    """Whether something about it is among the few things that a schema cannot say."""
    data = event.get("data")
    values = [event.get("occurred_at"), *(data.values() if isinstance(data, dict) else ())]
    # 7.0 is an integer to JSON Schema, and not to the engine
    if any(type(value) is float and value.is_integer() for value in values):
        return True
    # Python's $ matches before a last line break, that of other languages does not
    if any(isinstance(value, str) and value.endswith("\n") for value in values):
        return True
    # control characters are refused in addresses alone
    if any(isinstance(value, str) and not value.isprintable() for value in values):
        return True
    if isinstance(data, dict) and isinstance(data.get("timezone"), str):
        return data["timezone"] not in available_timezones()
    return _is_out_of_years(event.get("occurred_at"))


def _is_out_of_years(text: object) -> bool:
    try:
        return not MIN_MS <= parse_rfc3339(str(text)) <= MAX_MS
    except (ValueError, OverflowError):
        # 9999-12-31T23:59:59-23:59 is a time that no calendar has
        return isinstance(text, str) and text[:4] in ("0001", "9999")


@given(events())
@examples(1500)
def test_schema_and_engine_agree(drawn: tuple[str, str, Event]) -> None:
    """Both ways: what one refuses the other refuses too, but for what a schema cannot say, and
    for data of another type, which the engine takes and ``--check`` warns of.
    """
    topic, name, event = drawn
    errors = list(validator(topic, name).iter_errors(event))
    useless = {str(error.path[1]) for error in errors if is_of_no_use(topic, error)}
    problems = [error.message for error in errors if not is_of_no_use(topic, error)]
    refused = refusal(topic, orjson.dumps(event))
    line = {"topic": topic, "key": event.get("customer_id"), "value": event}
    if refused is None and useless:
        warned = {
            each.path.rpartition(".")[2] for each in check_line(orjson.dumps(line), shipped_rules())
        }
        assert {field for field in useless if event["data"][field] is not None} <= warned

    if problems:
        assert refused is not None, problems
    elif refused is not None:
        # a key that the type must have is a data field, too
        is_key = any(refused.startswith(f"data.{field}: ") for field in useless)
        assert is_key or is_beyond_schemas(event), refused


@pytest.mark.parametrize(("topic", "name"), SHIPPED_TYPES)
def test_the_example_is_one(topic: str, name: str) -> None:
    """Accepted by the engine and the schema, without as much as a warning, and in the file."""
    event = shipped_example(name)

    assert refusal(topic, orjson.dumps(event), key=b"c-1") is None
    assert validator(topic, name).is_valid(event)
    line = orjson.dumps({"topic": topic, "key": "c-1", "value": event})
    assert check_line(line, shipped_rules()) == []
    path = ROOT / "deploy" / "schemas" / topic / f"{name}.json"
    assert json.loads(path.read_text())["examples"] == [event]


def test_a_date_is_one_that_the_calendar_has() -> None:
    """Every day that is written as one, of four centuries' leap years and more."""
    pattern = validator("profiles", "profile_updated")
    years = [1, 4, 96, 100, 400, 1896, 1900, 1999, 2000, 2023, 2024, 2100, 2400, 9996, 9999]
    for year in years:
        for month in range(14):
            for day in range(33):
                text = f"{year:04d}-{month:02d}-{day:02d}"
                event: dict[str, Any] = shipped_example("profile_updated")
                event["data"] = {"birthday": text}
                assert pattern.is_valid(event) is _is_date(text), text


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "data",
    [
        {"phone": 436601234567, "attributes": {"work": 7}},
        {"phone": " +43 660 ", "email": None, "attributes": {"work": None}},
        {"email": True},
        {"phone": 1.5},
        {"attributes": {"work": ["a@x.test"]}},
    ],
)
def test_addresses_of_all_channels_are_what_the_engine_takes(data: dict[str, Any]) -> None:
    """Text or an integer, in an attribute too where a channel has its address there."""
    channels = {"sms": {"requires": "phone"}, "email": {"requires": "attributes.work"}}
    rules = compile_rules({"version": 1, "channels": channels}, version="test")
    schema = jsonschema.Draft7Validator(data_schema("profiles", "profile_updated", rules))
    ann = Customer("ann")
    try:
        parse_update(ann, data, rules.feedback, rules.addresses)
    except ProfileError:
        assert not schema.is_valid(data)
    else:
        assert schema.is_valid(data)


def test_no_schema_is_left_over() -> None:
    """A file for each type, and none besides."""
    folder = ROOT / "deploy" / "schemas"
    found = {(path.parent.name, path.stem) for path in folder.glob("*/*.json")}
    outputs = {("dispatch", "send_request"), ("decisions", "decision"), ("outcomes", "outcome")}
    assert found == set(SHIPPED_TYPES) | outputs
