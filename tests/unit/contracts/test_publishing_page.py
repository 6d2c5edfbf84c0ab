"""deploy/docs/publishing.md: examples are accepted, links lead somewhere, reasons are complete."""

import json
import re

import orjson
import pytest

from app.formats.decode import REASONS
from app.publish.check.lines import check_line
from tests.unit.contracts.judging import ROOT, shipped_rules

PATH = ROOT / "deploy" / "docs" / "publishing.md"
PAGE = PATH.read_text()
EXAMPLES = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_accepted(example: str) -> None:
    """Without as much as a warning."""
    assert check_line(orjson.dumps(json.loads(example)), shipped_rules()) == []


def test_there_are_examples_and_links_that_lead_somewhere() -> None:
    """Links to files lead to files that exist."""
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert len(EXAMPLES) == 2
    assert links
    assert all((PATH.parent / link).exists() for link in links)


def test_every_reason_is_explained() -> None:
    """Those of the codec, and the two that come from rules and profiles."""
    cells = re.findall(r"^\| (`[^|]*`) \|", PAGE, re.MULTILINE)
    told = set(re.findall(r"`(\w+)`", " ".join(cells)))
    assert told == REASONS | {"missing_key", "profile", "merge"}
