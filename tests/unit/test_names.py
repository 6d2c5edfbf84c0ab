"""Names in the code are those of the glossary (``deploy/docs/glossary.md``)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Words that have a plain one in their place: partition processor, misrouted record, record batch,
#: observe, output record, report, log, with, customer or worker, outage.
RETIRED = frozenset(
    (
        *("lane", "lanes", "stray", "strays", "stretch", "witness", "sighting", "said", "told"),
        *("heard", "beside", "nobody", "whoever", "somebody", "anybody", "silence", "silent"),
    )
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def names_in(source: str) -> Iterator[str]:
    """Every name that the source gives to something."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.arg():
                yield node.arg
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr


def retired_in(names: Iterator[str]) -> list[str]:
    """The names with a retired word in them."""
    return [name for name in names if RETIRED & set(_CAMEL.sub("_", name).lower().split("_"))]


@pytest.mark.parametrize("folder", ["app", "agents", "tables"])
def test_names_of_the_code_are_plain(folder: str) -> None:
    """One word for each thing."""
    found = {
        str(path.relative_to(ROOT)): names
        for path in (ROOT / folder).rglob("*.py")
        if (names := retired_in(names_in(path.read_text())))
    }

    assert found == {}


def test_names_of_tests_are_plain() -> None:
    """A test's name says what holds, with the words of the glossary."""
    tests = (name for path in (ROOT / "tests").rglob("test_*.py") for name in _tests_in(path))

    assert retired_in(tests) == []


def _tests_in(path: Path) -> Iterator[str]:
    return (name for name in names_in(path.read_text()) if name.startswith("test_"))
