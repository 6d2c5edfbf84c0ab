"""The answers of deploy/docs/what-happens-if.md, each run through a backtest."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.examples.recipes import assert_decides, decide, read_page, rules_of

PAGE: Final = Path(__file__).parents[2] / "deploy" / "docs" / "what-happens-if.md"
PREFACE, CASES = read_page(Path(__file__).parent / "what_happens_if.md")


@pytest.mark.parametrize("question", CASES)
def test_what_happens_is_what_the_page_says(question: str, tmp_path: Path) -> None:
    """All decisions and no other."""
    rules = rules_of(PREFACE, CASES[question])
    assert_decides(CASES[question], rules, decide(CASES[question], rules, tmp_path))


def test_every_case_is_a_question_of_the_page() -> None:
    """In its words."""
    asked = re.findall(r"^\| ([^|]+) \|", PAGE.read_text(), re.MULTILINE)
    assert CASES.keys() - set(asked) == set()
