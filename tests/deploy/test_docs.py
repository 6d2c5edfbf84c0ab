"""The documentation: examples are accepted, what is named exists, references are current."""

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from app.rules_file.load import load_rules
from deploy.checks.support.reference import pages
from deploy.checks.support.reference.rules import schema, undescribed

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "deploy" / "docs"
README = (ROOT / "README.md").read_text()
#: What a fragment of a rules file is put into.
_REST = {
    "version": 1,
    "channels": {
        "email": {"requires": "email"},
        "sms": {"requires": "phone"},
        "push": {"requires": "push_token"},
    },
    "triggers": {},
}

_MODEL = """\
{"version": 1, "best_channel": {"open_rates": {"email": 0.5}, "weight": 1},
 "next_product": {"fact": "last_product", "after": {}, "otherwise": "hat"}}
"""


def examples(text: str) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def parsed(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize("example", examples((DOCS / "rules.md").read_text()) + examples(README))
def test_an_example_of_the_rules_is_accepted(example: str, tmp_path: Path) -> None:
    """A whole file, or top-level keys of one."""
    document = _REST | parsed(example)
    text = StringIO()
    YAML(typ="safe", pure=True).dump(document, text)
    path = tmp_path / "rules.yaml"
    path.write_text(text.getvalue())
    (tmp_path / "model.json").write_text(_MODEL)

    assert load_rules(path)


def test_every_named_test_exists() -> None:
    """A promise whose test is gone is held by nothing."""
    text = (DOCS / "guarantees.md").read_text()
    there = {path.name for path in (ROOT / "tests").rglob("*.py")}
    named = set(re.findall(r"`((?:[\w/]+/)?\w+\.py)`", text))
    folders = set(re.findall(r"`(tests/[\w/]+/)`", text))

    assert len(named) > 20
    assert {name for name in named if Path(name).name not in there} == set()
    assert {name for name in named if "/" in name and not (ROOT / name).exists()} == set()
    assert {name for name in folders if not (ROOT / name).is_dir()} == set()


@pytest.mark.parametrize(
    "path",
    [
        ROOT / "README.md",
        ROOT / "app" / "core" / "README.md",
        ROOT / "app" / "live" / "README.md",
        DOCS / "architecture.md",
    ],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_path_that_is_named_exists(path: Path) -> None:
    """Files and folders in code spans: from the top, from the page's folder, or by name alone."""
    names = {path.name for path in (ROOT / "app").rglob("*")}
    found = re.findall(r"`([\w.\-/]+(?:/|\.(?:py|json|yaml|md|css)))`", path.read_text())
    tops = (ROOT, ROOT / "app", path.parent)
    missing = [
        name
        for name in found
        if not any((top / name).exists() for top in tops) and name.rstrip("/") not in names
    ]

    assert found
    assert missing == []


@pytest.mark.parametrize("page", sorted(pages()))
def test_a_reference_page_is_what_the_code_says(page: str) -> None:
    """After a change: `deploy/check --write docs`."""
    assert (DOCS / page).read_text() == pages()[page]


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    """At most 150 lines of at most 100 characters."""
    lines = README.splitlines()
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", README)

    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 100] == []
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_links_between_pages_lead_somewhere() -> None:
    """Sphinx checks anchors too, where it is installed."""
    for page in sorted(DOCS.rglob("*.md")):
        links = re.findall(r"\]\(([^):#]+)(?:#[^)]*)?\)", page.read_text())
        assert [link for link in links if not (page.parent / link).exists()] == [], page.name


def test_every_key_of_the_rules_has_a_sentence() -> None:
    """Editors show it beside the key."""
    assert list(undescribed(schema())) == []


@pytest.mark.parametrize("folder", ["core", "live"])
def test_every_module_is_in_the_readme_of_its_folder(folder: str) -> None:
    """So that a newcomer finds each by its sentence."""
    path = ROOT / "app" / folder
    text = (path / "README.md").read_text()
    names = [each.name + "/" * each.is_dir() for each in path.iterdir() if each.name[0] not in "_R"]

    assert [name for name in names if f"`{name}`" not in text] == []
