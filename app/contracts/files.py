"""The documents as files: ``asyncapi/asyncapi.json`` and ``schemas/<topic>/<name>.json``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from app.contracts.asyncapi import document
from app.contracts.events import all_types, event_schema
from app.contracts.outputs import RECORDS, record_schema
from app.core.errors import ConfigError
from app.core.rules.model import Rules
from app.settings.model import Settings

ASYNCAPI_FILE: Final = "asyncapi/asyncapi.json"
SCHEMAS_FOLDER: Final = "schemas"


def contract_files(settings: Settings, rules: Rules) -> Iterator[tuple[str, bytes]]:
    """(path in the folder, content) of every file."""
    yield ASYNCAPI_FILE, _written(document(settings, rules))
    for topic, name in all_types(rules.taxonomy):
        path = f"{SCHEMAS_FOLDER}/{topic}/{name}.json"
        yield path, _written(event_schema(topic, name, rules))
    for topic, records in RECORDS.items():
        for name, record in records.items():
            yield f"{SCHEMAS_FOLDER}/{topic}/{name}.json", _written(record_schema(record))


def write_contracts(settings: Settings, rules: Rules, folder: Path) -> list[str]:
    """Write the files that differ from what is there, take away schemas that are no more; the
    paths of both. Raises ConfigError when a file cannot be written.
    """
    files = dict(contract_files(settings, rules))
    changed = []
    try:
        for path, content in files.items():
            target = folder / path
            if not target.is_file() or target.read_bytes() != content:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                changed.append(path)
        for found in sorted((folder / SCHEMAS_FOLDER).glob("*/*.json")):
            path = found.relative_to(folder).as_posix()
            if path not in files:
                found.unlink()
                changed.append(path)
    except OSError as exc:
        raise ConfigError(f"{folder}: cannot be written: {exc.strerror}") from exc
    return changed


def _written(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"
