"""Recipes in Markdown: a rules file, a table of events and a table of what is decided."""

import re
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, Final

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

TOPICS: Final = {name: topic for topic, names in TYPES.items() for name in names}
KNOWN_FROM: Final = "2024-05-31 10:00"
UNTIL: Final = "2024-07-31T00:00:00Z"

Line = dict[str, Any]


def read_page(path: Path) -> tuple[str, dict[str, str]]:
    """What stands before the first recipe, and each recipe by its heading."""
    preface, *sections = re.split(r"^## ", path.read_text(), flags=re.MULTILINE)
    return preface, {text.partition("\n")[0]: text for text in sections}


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


def rules_of(preface: str, recipe: str) -> dict[str, Any]:
    """The recipe inside the file that the page begins with; without rules of its own, that file."""
    document: dict[str, Any] = parsed(yaml_of(preface))
    return document | parsed(yaml_of(recipe)) if "```yaml" in recipe else document


def events_of(recipe: str, rules: dict[str, Any]) -> list[Line]:
    """The rows as history in order of arrival, after a profile of each customer that is no guest.

    In the data ``_arrived`` is when it is read, and ``_id`` the event's id: by default when it
    occurred, and ``e`` with the number of the row.
    """
    declared = {each: topic for topic, types in rules.get("events", {}).items() for each in types}
    topics = TOPICS | declared
    rows = table(recipe, "at")
    profile = {"email": "a@example.org", "phone": "+43 1", "push_token": "t"}
    data = profile | {"consent": {"sms": True}}
    named = {row[1] for row in rows} | {parsed(row[3]).get("into", row[1]) for row in rows}
    people = sorted(who for who in named if not who.startswith("guest"))
    lines = [_line(f"p-{who}", KNOWN_FROM, who, "profile_updated", data, topics) for who in people]
    for number, (time, who, name, text) in enumerate(rows, 1):
        lines.append(_line(f"e{number}", time, who, name, parsed(text), topics))
    return sorted(lines, key=lambda each: each["arrived_at"])


def _line(
    event_id: str, time: str, customer: str, name: str, data: Any, topics: dict[str, str]
) -> Line:
    """One line of history."""
    return {
        "topic": topics[name],
        "event_id": data.get("_id", event_id),
        "type": name,
        "customer_id": customer,
        "occurred_at": at_ms(time),
        "arrived_at": at_ms(data.get("_arrived", time)),
        "data": {field: value for field, value in data.items() if field[0] != "_"},
    }


def decide(recipe: str, rules: dict[str, Any], folder: Path) -> Path:
    """Where the backtest's output is. What is opened are the sends of a run without engagement."""
    lines = events_of(recipe, rules)
    silent = [each for each in lines if each["topic"] != "engagement"]
    out = _backtest(rules, silent, folder / "silent")
    if silent == lines:
        return out
    requests = read_lines(out / "dispatch.jsonl")
    return _backtest(rules, _answered(lines, requests), folder / "answered")


def _backtest(rules: dict[str, Any], lines: list[Line], folder: Path) -> Path:
    folder.mkdir()
    text = StringIO()
    YAML(typ="safe", pure=True).dump(rules, text)
    (folder / "rules.yaml").write_text(text.getvalue())
    write_json_lines(folder / "events.jsonl", lines)
    out = folder / "out"
    assert run_backtest(out, folder / "rules.yaml", folder / "events.jsonl", "--until", UNTIL) == 0
    return out


def _answered(lines: list[Line], requests: list[dict[str, Any]]) -> list[Line]:
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


def assert_decides(recipe: str, rules: dict[str, Any], out: Path) -> None:
    """All decisions of the recipe's table and no other; a row without a trigger is of the only
    one.
    """
    want: list[list[Any]] = []
    for time, who, *trigger, key, step, outcome, reason, channel in table(recipe, "decided"):
        (name,) = trigger or rules["triggers"]
        decided_at = format_rfc3339(at_ms(time))
        want.append([who, name, key, int(step), outcome, reason, channel or None, decided_at])
    want.sort(key=_order)
    assert_decided(sorted(decisions_of(out), key=_order), want)


def _order(row: list[Any]) -> tuple[Any, ...]:
    return row[-1], row[0]
