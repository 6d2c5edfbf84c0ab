"""What the chart's schema and README say of values, from the settings table and values.yaml."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from app.settings.model import rows
from app.settings.topics import TOPICS

_SECRET: Final = re.compile(r"(PASSWORD|TOKEN|SECRET)$")
_LINE: Final = re.compile(r"^( *)([\w-]+):(?: +(.*?))?(?: *# (.*))?$")

_README: Final = """\
# Chart of the trigger engine

```sh
helm upgrade --install triggers deploy/chart --set kafka.bootstrapServers=kafka:9092
```

Kubernetes 1.29 or newer. [Operations](../docs/operations.md) says what the chart makes and why, the
[runbook](../RUNBOOK.md) how to scale, upgrade and recover. Values that are not in this table, and
values that contradict each other, are refused. Settings that have no value of their own go into
`settings`, see the [settings](../docs/reference/settings.md).

Written by `deploy/check --write files` from `values.yaml`.

| value | default | |
|---|---|---|
"""


def with_settings(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of values with every topic and every setting in it."""
    kafka = schema["properties"]["kafka"]["properties"]
    kafka["topicNames"] = {
        "type": "object",
        "description": "Names on the broker; input topics that the rules declare included.",
        "additionalProperties": {"$ref": "#/definitions/kafkaName"},
        "properties": {
            topic.name: {
                "allOf": [{"$ref": "#/definitions/kafkaName"}],
                "description": topic.sentence,
            }
            for topic in TOPICS
            if topic.role != "internal"
        },
    }
    settings = schema["properties"]["settings"]
    settings["properties"] = dict(sorted(_settings()))
    settings["additionalProperties"] = False
    return schema


def _settings() -> Iterator[tuple[str, dict[str, str]]]:
    for _, variable, _ in rows():
        schema = {"type": "string", "description": variable.sentence}
        if not _SECRET.search(variable.name):
            yield variable.name, schema
        if variable.parse_file is not None:
            yield f"{variable.name}_FILE", schema


class Value(NamedTuple):
    """A line of values.yaml that has a value."""

    path: str
    default: str
    sentence: str


def values_in(text: str) -> Iterator[Value]:
    """Every value with its comment: behind it, or the lines above it."""
    parents: list[tuple[int, str]] = []
    above: list[str] = []
    list_depth: int | None = None
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            above.append(stripped.lstrip("# "))
            continue
        match = _LINE.match(line)
        if match is None:
            above = []
            list_depth = len(line) - len(line.lstrip()) if stripped.startswith("- ") else None
            continue
        if list_depth is not None and len(match[1]) > list_depth:
            continue
        list_depth = None
        depth, key, default, behind = len(match[1]), match[2], match[3] or "", match[4] or ""
        while parents and parents[-1][0] >= depth:
            parents.pop()
        path = ".".join([*(name for _, name in parents), key])
        sentence = " ".join([*above, behind]).strip()
        above = []
        if default:
            yield Value(path, default, sentence)
        else:
            parents.append((depth, key))
            yield Value(path, "", sentence)


def chart_readme(text: str) -> str:
    """The README with a row for each value."""
    table = [
        f"| `{path}` | {default and f'`{default}`'} | {sentence} |"
        for path, default, sentence in values_in(text)
        if default or sentence
    ]
    return _README + "\n".join(table) + "\n"


def undescribed(text: str) -> list[str]:
    """Values without a comment."""
    return [
        f"{each.path}: no comment" for each in values_in(text) if each.default and not each.sentence
    ]
