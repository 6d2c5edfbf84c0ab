"""The tables of deploy/docs/rules.md name what the code has, and no operator that it refuses."""

import re
from pathlib import Path
from typing import Any, Final

import pytest

from app.core.customer.facts import FACTS
from app.core.customer.profile import PROFILE_FIELDS
from app.core.customer.scoring_model import MODEL_FACTS
from app.core.rules.compile_facts import FACT_OPS
from app.core.rules.conditions import OPS
from app.core.rules.taxonomy import declare
from app.core.validation.value_kinds import FieldKinds
from app.rules_file.load import SCHEMA, find_problems

PAGE: Final = (Path(__file__).parents[2] / "deploy" / "docs" / "rules.md").read_text()
#: A field of each type that conditions tell apart, and values that it can have.
FIELDS: Final[dict[str, tuple[str, list[Any]]]] = {
    "number": ("event.value", [5, 7]),
    "text": ("event.sku", ["hat", "cap"]),
    "flag": ("event.on_time", [True]),
    "instant": ("customer.last_order_at", ["2026-03-01T12:00:00Z"]),
    "date": ("profile.birthday", ["1990-03-01"]),
    "list": ("profile.channels", ["email"]),
}


def rows(first: str) -> list[list[str]]:
    """The cells of the table whose first column has this title."""
    (body,) = re.findall(rf"^\| {re.escape(first)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.M)
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in body.splitlines()]


def names(cell: str) -> list[str]:
    """What stands in code spans."""
    return re.findall(r"`([^`]+)`", cell)


def value_for(op: str, values: list[Any]) -> Any:
    """What the operator takes, of a field with these values."""
    if op in ("in", "not_in"):
        return values
    return {"exists": True, "older_than": "30d"}.get(op, values[0])


def test_every_kind_of_trigger_has_its_row() -> None:
    """And its section, which the row leads to."""
    kinds = [re.match(r"\[(\w+)\]\(#\1\)", row[0]) for row in rows("kind")]
    assert {kind[1] for kind in kinds if kind} == set(
        SCHEMA["$defs"]["trigger"]["properties"]["kind"]["enum"]
    )
    assert all(f"\n### {kind[1]}\n" in PAGE for kind in kinds if kind)


def test_every_operator_has_its_row() -> None:
    """Once."""
    assert sorted(op for row in rows("`op`") for op in names(row[0])) == sorted(OPS)


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("op", OPS)
def test_an_operator_takes_the_types_of_its_row_and_no_other(op: str, kind: str) -> None:
    """As `triggers validate` says."""
    (listed,) = [row[1] for row in rows("`op`") if op in names(row[0])]
    field, values = FIELDS[kind]
    leaf = {"field": field, "op": op, "value": value_for(op, values)}
    body = {"kind": "event", "on": "order_placed", "template": "t", "channels": ["email"]}
    problems = find_problems({"version": 1, "triggers": {"one": body | {"when": leaf}}})
    assert (problems == []) == (kind in listed.split(", "))


def test_every_fact_of_a_customer_has_its_row_and_its_type() -> None:
    """Those of a model are of the type that the model gives them."""
    kinds = FieldKinds(
        taxonomy=declare({}),
        channels=frozenset(),
        segments=frozenset(),
        triggers=frozenset(),
        facts={},
        model_facts=MODEL_FACTS,
        clusters=None,
    )
    types = {name: row[1] for row in rows("`customer.`") for name in names(row[0])}
    assert types.keys() == FACTS.keys() | MODEL_FACTS | {"segments"}
    for name in FACTS.keys() | {"segments"}:
        assert types[name] == kinds.kind_of(f"customer.{name}").name, name


def test_every_field_of_a_profile_is_named() -> None:
    """Attributes and consents by their names."""
    (cell,) = [row[1] for row in rows("field") if row[0] == "`profile.NAME`"]
    assert {name.partition(".")[0] for name in names(cell)} == PROFILE_FIELDS


def test_everything_that_a_fact_can_ask_has_its_row() -> None:
    """``keep`` is no question."""
    asked = [name for row in rows("fact") for name in names(row[0])]
    assert sorted(asked) == sorted(FACT_OPS)
