"""The recipes of deploy/docs/cookbook.md: rules, events and decisions are read from the page."""

from pathlib import Path
from typing import Final

import pytest

from tests.examples.backtest import read_lines
from tests.examples.recipes import assert_decides, decide, read_page, rules_of, yaml_of

PAGE: Final = Path(__file__).parents[2] / "deploy" / "docs" / "cookbook.md"
PREFACE, RECIPES = read_page(PAGE)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_decides_what_its_page_says(name: str, tmp_path: Path) -> None:
    """All decisions and no other."""
    rules = rules_of(PREFACE, RECIPES[name])
    assert_decides(RECIPES[name], rules, decide(RECIPES[name], rules, tmp_path))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_has_ten_lines_or_fewer(name: str) -> None:
    """Declared events included."""
    assert len(yaml_of(RECIPES[name]).splitlines()) <= 10


def test_a_customer_who_logs_in_gets_the_reminder_of_the_guest(tmp_path: Path) -> None:
    """The decision says whose cart it was."""
    recipe = RECIPES["A guest logs in"]
    out = decide(recipe, rules_of(PREFACE, recipe), tmp_path)
    assert [each["merged_from"] for each in read_lines(out / "decisions.jsonl")] == ["guest-1"]
