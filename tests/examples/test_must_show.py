"""The recipes of deploy/docs/cookbook.md: rules, events and decisions are read from the page."""

import re
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

from app.core.events import TYPES
from app.core.time.instants import format_rfc3339
from tests.examples.backtest import (
    assert_decided,
    decisions_of,
    read_lines,
    run_backtest,
    write_json_lines,
)

PAGE: Final = Path(__file__).parents[2] / "deploy" / "docs" / "cookbook.md"
PREFACE, *_SECTIONS = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
RECIPES: Final = {text.partition("\n")[0]: text for text in _SECTIONS}
TOPICS: Final = {name: topic for topic, names in TYPES.items() for name in names}
KNOWN_FROM: Final = "2024-05-31 10:00"
UNTIL: Final = "2024-07-31T00:00:00Z"

Line = dict[str, Any]


def yaml_of(text: str) -> str:
    """The one YAML block of a part of the page."""
    (block,) = re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return str(block)


def parsed(text: str) -> Any:
    """What YAML 1.2 makes of a text."""
    return YAML(typ="safe", pure=True).load(text)


def table(text: str, first: str) -> list[list[str]]:
    """The rows of the table whose first column has this name."""
    (body,) = re.findall(rf"^\| {first} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in body.splitlines()]


def at_ms(text: str) -> int:
    """A time of the page, in UTC, as epoch milliseconds."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def decided_at(text: str) -> str:
    """A time of the page as decisions write it."""
    return format_rfc3339(at_ms(text))


def rules_of(recipe: str) -> dict[str, Any]:
    """The recipe inside the file that the page begins with."""
    document: dict[str, Any] = parsed(yaml_of(PREFACE)) | parsed(yaml_of(recipe))
    return document


def events_of(recipe: str, topics: dict[str, str]) -> list[Line]:
    """The rows as history in order of time, after a profile of each customer that is no guest."""
    rows = table(recipe, "at")
    profile = {"email": "a@example.org", "phone": "+43 1", "push_token": "t"}
    data = profile | {"consent": {"sms": True}}
    named = {row[1] for row in rows} | {parsed(row[3]).get("into", row[1]) for row in rows}
    people = sorted(who for who in named if not who.startswith("guest"))
    lines = [line(f"p-{who}", KNOWN_FROM, who, "profile_updated", data, topics) for who in people]
    for number, (time, who, name, text) in enumerate(rows, 1):
        lines.append(line(f"e{number}", time, who, name, parsed(text), topics))
    return sorted(lines, key=lambda each: each["occurred_at"])


def line(
    event_id: str, time: str, customer: str, name: str, data: Any, topics: dict[str, str]
) -> Line:
    """One line of history."""
    return {
        "topic": topics[name],
        "event_id": event_id,
        "type": name,
        "customer_id": customer,
        "occurred_at": at_ms(time),
        "data": data,
    }


def decide(rules: dict[str, Any], lines: list[Line], folder: Path) -> Path:
    """Where the backtest's output is."""
    folder.mkdir()
    text = StringIO()
    YAML(typ="safe", pure=True).dump(rules, text)
    (folder / "rules.yaml").write_text(text.getvalue())
    write_json_lines(folder / "events.jsonl", lines)
    out = folder / "out"
    assert run_backtest(out, folder / "rules.yaml", folder / "events.jsonl", "--until", UNTIL) == 0
    return out


def answered(lines: list[Line], requests: list[dict[str, Any]]) -> list[Line]:
    """The lines, ``of step N`` replaced by the id of the customer's send request of that step."""
    ids = {
        (each["customer_id"], f"of step {each['step']}"): each["request_id"] for each in requests
    }
    return [
        each | {"data": each["data"] | {"request_id": ids[each["customer_id"], meant]}}
        if (meant := each["data"].get("request_id"))
        else each
        for each in lines
    ]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_decides_what_its_page_says(name: str, tmp_path: Path) -> None:
    """All decisions and no other; what is opened are the sends of a run without engagement."""
    recipe = RECIPES[name]
    rules = rules_of(recipe)
    declared = {each: topic for topic, types in rules.get("events", {}).items() for each in types}
    lines = events_of(recipe, TOPICS | declared)
    silent = [each for each in lines if each["topic"] != "engagement"]
    out = decide(rules, silent, tmp_path / "silent")
    if silent != lines:
        requests = read_lines(out / "dispatch.jsonl")
        out = decide(rules, answered(lines, requests), tmp_path / "answered")
    (trigger,) = rules["triggers"]
    want: list[list[Any]] = [
        [who, trigger, key, int(step), outcome, reason, channel or None, decided_at(time)]
        for time, who, key, step, outcome, reason, channel in table(recipe, "decided")
    ]
    made = decisions_of(out)
    made.sort(key=_order)
    want.sort(key=_order)
    assert_decided(made, want)


def _order(row: list[Any]) -> tuple[Any, ...]:
    return row[-1], row[0]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_has_ten_lines_or_fewer(name: str) -> None:
    """Declared events included."""
    assert len(yaml_of(RECIPES[name]).splitlines()) <= 10


def test_a_customer_who_logs_in_gets_the_reminder_of_the_guest(tmp_path: Path) -> None:
    """The decision says whose cart it was."""
    recipe = RECIPES["A guest logs in"]
    out = decide(rules_of(recipe), events_of(recipe, TOPICS), tmp_path / "merged")
    assert [each["merged_from"] for each in read_lines(out / "decisions.jsonl")] == ["guest-1"]
