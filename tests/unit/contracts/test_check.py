"""deploy/check contracts: every row fails when what it is about is wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.checks import contracts
from deploy.checks.support.place import Place
from deploy.checks.support.results import NotHere, Verdict
from tests.unit.contracts.judging import ROOT

DRIFT, DOCUMENT, SCHEMAS, PARSER = range(4)


@pytest.fixture(name="place")
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy of the contracts, on a machine without Node.js."""
    for name in ("asyncapi", "schemas"):
        shutil.copytree(ROOT / "deploy" / name, tmp_path / "deploy" / name)
    shutil.copy(ROOT / "deploy" / "rules.yaml", tmp_path / "deploy")

    def not_here(_: Place) -> Path:
        raise NotHere("no npm")

    monkeypatch.setattr(contracts, "_node_modules", not_here)
    return Place(root=tmp_path, scratch=tmp_path, cache=tmp_path)


def verdicts(place: Place) -> list[Verdict]:
    return [row.verdict for row in contracts.run(place)]


def test_the_shipped_files_pass_and_skipped_checks_are_reported(place: Place) -> None:
    """Python's half always runs."""
    *rows, skipped = contracts.run(place)
    assert {row.verdict for row in rows} == {Verdict.OK}
    assert (skipped.verdict, skipped.detail) == (Verdict.SKIPPED, "no npm")


def drop_a_file(deploy: Path) -> None:
    (deploy / "schemas" / "orders" / "shipped.json").unlink()


def leave_a_file(deploy: Path) -> None:
    (deploy / "schemas" / "orders" / "gone.json").write_text("{}")


def rename_a_trigger(deploy: Path) -> None:
    rules = deploy / "rules.yaml"
    rules.write_text(rules.read_text().replace("  cart_abandoned:", "  cart_left:"))


@pytest.mark.parametrize("fault", [drop_a_file, leave_a_file, rename_a_trigger])
def test_files_that_are_not_what_the_code_says_fail(
    place: Place, fault: Callable[[Path], None]
) -> None:
    """And writing them again mends it."""
    fault(place.deploy)
    assert verdicts(place)[DRIFT] is Verdict.FAILED
    contracts.write(place)
    assert verdicts(place)[DRIFT] is Verdict.OK


def test_a_document_that_is_not_asyncapi_fails(place: Place) -> None:
    """Whatever the code says."""
    path = place.deploy / "asyncapi" / "asyncapi.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"channel": {}}))
    assert verdicts(place)[DOCUMENT] is Verdict.FAILED


@pytest.mark.parametrize(
    "changed", [{"type": "objekt"}, {"examples": [{}]}, {"required": ["no_such_field"]}]
)
def test_a_schema_that_is_none_or_refuses_its_example_fails(
    place: Place, changed: dict[str, object]
) -> None:
    """Each schema and each example is checked."""
    path = place.deploy / "schemas" / "orders" / "shipped.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    assert verdicts(place)[SCHEMAS] is Verdict.FAILED
