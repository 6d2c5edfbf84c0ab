"""The keys of a rules file, from the JSON Schema that editors read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from app import rules_file
from deploy.checks.support.reference.markdown import code, table

SCHEMA: Final = Path(rules_file.__file__).with_name("rules.schema.json")
_HEAD: Final = """\
# Keys of a rules file

From `app/rules_file/rules.schema.json`, which editors read too. [Rules](../rules.md) says what they
mean, with examples.

"""
#: What a schema says of a value, in words.
_BOUNDS: Final = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "minLength": "at least this long:",
    "maxLength": "at most this long:",
    "minItems": "items, at least",
    "maxItems": "items, at most",
}


def schema() -> dict[str, Any]:
    """The schema of rules files."""
    found: dict[str, Any] = json.loads(SCHEMA.read_text())
    return found


def rules() -> str:
    """The page."""
    whole = schema()
    parts = {"The file": whole, **whole["$defs"]}
    sections = []
    for name, part in parts.items():
        rows = list(_rows(part, ""))
        if rows:
            title = name.replace("_", " ").capitalize()
            body = table(("key", "takes", ""), rows)
            sections.append(f"## {title}\n\n{_sentence(part) if part is not whole else ''}{body}")
    return _HEAD + "\n".join(sections)


def undescribed(node: Any, path: str = "", known: frozenset[str] = frozenset()) -> Iterator[str]:
    """Paths of properties without a description. A property that only narrows one of an object
    around it (under ``then``) has that one's; conditions (``if``) need none.
    """
    if isinstance(node, list):
        for value in node:
            yield from undescribed(value, path, known)
    if not isinstance(node, dict):
        return
    properties = {
        key: value for key, value in node.get("properties", {}).items() if isinstance(value, dict)
    }
    for key, value in properties.items():
        if "description" not in value and key not in known:
            yield f"{path}.{key}"
        yield from undescribed(value, f"{path}.{key}")
    for key, value in node.items():
        if key not in ("properties", "if", "examples", "default"):
            inner = known | properties.keys() if key in ("allOf", "then", "else") else frozenset()
            yield from undescribed(value, f"{path}.{key}", inner)


def _rows(node: dict[str, Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    required = set(node.get("required", ()))
    for key, value in node.get("properties", {}).items():
        if not isinstance(value, dict):
            continue
        path = f"{prefix}{key}"
        yield code(path), _takes(value, key in required), value.get("description", "")
        yield from _rows(value, f"{path}.")
        items = value.get("items")
        if isinstance(items, dict):
            yield from _rows(items, f"{path}[].")
        more = value.get("additionalProperties")
        if isinstance(more, dict):
            yield from _rows(more, f"{path}.NAME.")


def _takes(value: dict[str, Any], is_required: bool) -> str:
    words = []
    if "$ref" in value:
        words.append(value["$ref"].rpartition("/")[2].replace("_", " "))
    if "enum" in value:
        words.append(", ".join(code(each) for each in value["enum"]))
    if "const" in value:
        words.append(code(value["const"]))
    if isinstance(value.get("type"), str):
        words.append(value["type"])
    words += [f"{phrase} {value[key]}" for key, phrase in _BOUNDS.items() if key in value]
    if isinstance(value.get("items"), dict) and "$ref" in value["items"]:
        words.append("of " + value["items"]["$ref"].rpartition("/")[2].replace("_", " "))
    if is_required:
        words.append("required")
    return "; ".join(words)


def _sentence(part: dict[str, Any]) -> str:
    return f"{part['description']}\n\n" if "description" in part else ""
