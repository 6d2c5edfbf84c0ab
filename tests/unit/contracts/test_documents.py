"""The documents as files: up to date, valid, and as the settings and rules say."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from app.cli import main
from app.contracts.asyncapi import document
from app.contracts.files import contract_files
from app.rules_file.load import parse_rules
from app.settings.load import load_settings
from app.settings.model import Settings
from tests.unit.contracts.judging import ROOT, refusal, shipped_rules

DEPLOY = ROOT / "deploy"
RULES = b"""\
version: 1
channels: {carrier_pigeon: {requires: attributes.loft}}
triggers:
  lost: {kind: abandonment, start: [itinerary_saved], key: booking_id, cancel: [booking_confirmed],
         after: 1h, template: x, channels: [carrier_pigeon]}
"""


@cache
def asyncapi_schema() -> dict[str, Any]:
    """AsyncAPI's own schema of documents."""
    packed = (DEPLOY / "asyncapi" / "asyncapi-3.0.0.schema.json.gz").read_bytes()
    schema: dict[str, Any] = json.loads(gzip.decompress(packed))
    return schema


def problems(made: dict[str, Any]) -> list[str]:
    """What the schema has against it."""
    validator = jsonschema.Draft7Validator(asyncapi_schema())
    return [error.json_path for error in validator.iter_errors(made)]


def test_the_shipped_files_are_what_the_code_says() -> None:
    """After a change: `triggers contracts --out deploy`."""
    for path, content in contract_files(Settings(), shipped_rules()):
        assert (DEPLOY / path).read_bytes() == content, path


def test_the_document_is_asyncapi() -> None:
    """By the schema that AsyncAPI publishes; and the schema does refuse."""
    made = document(Settings(), shipped_rules())

    assert problems(made) == []
    assert problems(made | {"channel": {}}) == ["$"]
    made["operations"]["receive_orders"]["action"] = "read"
    assert problems(made) == ["$.operations.receive_orders"]


def test_every_reference_leads_somewhere() -> None:
    """References of channels, operations, messages and schemas."""
    made = document(Settings(), shipped_rules())

    def follow(node: Any) -> int:
        if isinstance(node, list):
            return sum(map(follow, node))
        if not isinstance(node, dict):
            return 0
        if "$ref" in node:
            target: Any = made
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
        return ("$ref" in node) + sum(map(follow, node.values()))

    assert follow(made) > 100


def test_names_and_rules_are_those_in_use(tmp_path: Path) -> None:
    """Topics as they are called, channels and needed keys as the rules have them."""
    rules = tmp_path / "rules.yaml"
    rules.write_bytes(RULES)
    out = tmp_path / "out"

    assert (
        main(
            [
                "contracts",
                "--out",
                str(out),
                "--rules",
                str(rules),
                "--prefix",
                "eu.",
                "--app-id",
                "x",
            ]
        )
        == 0
    )
    made = json.loads((out / "asyncapi" / "asyncapi.json").read_text())
    assert problems(made) == []
    assert made["channels"]["orders"]["address"] == "eu.orders"
    assert made["channels"]["customers-changelog"]["address"] == "x-customers-changelog"
    saved = json.loads((out / "schemas/bookings/itinerary_saved.json").read_text())
    assert saved["properties"]["data"]["required"] == ["booking_id"]
    cart = json.loads((out / "schemas/orders/cart_updated.json").read_text())
    assert "required" not in cart["properties"]["data"]
    profile = json.loads((out / "schemas/profiles/profile_updated.json").read_text())
    assert list(profile["properties"]["data"]["properties"]["consent"]["properties"]) == [
        "carrier_pigeon"
    ]
    shipped = document(Settings(), shipped_rules())
    declared = {"product_restocked", "product_restocked_data"}
    schemas = shipped["components"]["schemas"].keys()
    assert made["components"]["schemas"].keys() == schemas - declared
    assert (
        document(
            load_settings({"TRIGGER_TOPIC_PREFIX": "eu.", "TRIGGER_APP_ID": "x"}),
            parse_rules(RULES),
        )
        == made
    )


def test_writing_again_changes_nothing_and_takes_away_what_is_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The paths of files that changed are printed."""
    args = ["contracts", "--out", str(tmp_path), "--rules", str(DEPLOY / "rules.yaml")]
    assert main(args) == 0
    stale = tmp_path / "schemas" / "orders" / "long_gone.json"
    stale.write_text("{}")
    capsys.readouterr()

    assert main(args) == 0
    assert capsys.readouterr().out == f"{stale}\n1 files changed\n"
    assert not stale.exists()
    assert main(args) == 0
    assert capsys.readouterr().out == "0 files changed\n"


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the folder; exit code 2."""
    (tmp_path / "asyncapi").write_text("a file")
    rules = str(DEPLOY / "rules.yaml")
    assert main(["contracts", "--out", str(tmp_path), "--rules", rules]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("topic", ["orders", "bookings", "profiles", "engagement"])
def test_cloud_events_examples_are_accepted(topic: str) -> None:
    """By the engine and by the document's schemas, structured and binary."""
    made = document(Settings(), shipped_rules())
    messages, schemas = made["components"]["messages"], made["components"]["schemas"]

    def valid(name: str, value: Any) -> bool:
        schema = schemas[name] | {"components": {"schemas": schemas}}
        return jsonschema.Draft7Validator(schema).is_valid(value)

    (structured,) = messages[f"{topic}_cloud_event"]["examples"]
    (binary,) = messages[f"{topic}_cloud_event_binary"]["examples"]
    assert valid(f"{topic}_cloud_event", structured["payload"])
    assert valid(f"{topic}_cloud_event_binary_headers", binary["headers"])
    assert valid(f"{topic}_cloud_event_binary_data", binary["payload"])
    assert not valid(f"{topic}_cloud_event", structured["payload"] | {"specversion": "0.3"})
    assert not valid(f"{topic}_cloud_event_binary_headers", binary["headers"] | {"ce_id": ""})
    for one in (structured, binary):
        headers = [(name, value.encode()) for name, value in one["headers"].items()]
        assert refusal(topic, json.dumps(one["payload"]).encode(), b"c-1", headers) is None


def test_a_cloud_events_data_is_that_of_its_type() -> None:
    """A cart without its id is refused in this spelling too."""
    made = document(Settings(), shipped_rules())
    schema = made["components"]["schemas"]["orders_cloud_event"] | made
    validator = jsonschema.Draft7Validator(schema)
    event = {
        "specversion": "1.0",
        "id": "1",
        "type": "cart_updated",
        "subject": "c-1",
        "time": "2026-03-01T12:00:00Z",
        "data": {"cart_id": "k"},
    }

    assert validator.is_valid(event)
    assert not validator.is_valid(event | {"data": {}})
    assert validator.is_valid(event | {"type": "cart_emptied", "data": {}})
