"""How the database reads files of JSON lines: plain or gzip by their first bytes, any name."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

from app.analysis.data.database import Database
from app.core.errors import ConfigError
from app.formats.json_lines import open_lines

_GZIP_MAGIC: Final = b"\x1f\x8b"
#: How DuckDB says where a file is broken; the line that it names may be the one after.
_BROKEN: Final = re.compile(r'(in file "(?P<path>[^"]*)".* in line )(?P<line>[0-9]+)')
#: column -> the field of the line that it is made of
_FIELD_OF: Final = {
    "request": "request_id",
    "customer": "customer_id",
    "decided_ms": "decided_at",
    "anchor_ms": "anchor_at",
    "occurred_ms": "occurred_at",
    "is_sent": "outcome",
}


@contextmanager
def json_lines(
    database: Database, paths: Sequence[Path], columns: Mapping[str, str]
) -> Iterator[str]:
    """An SQL table expression over the files, with those columns and types, NULL where a line has
    none. What is wrong with a file raises ConfigError, naming it.
    """
    links = {database.link(path): path for path in paths}
    types = ", ".join(f"{name}: '{type_}'" for name, type_ in columns.items())
    parts = (
        f"SELECT * FROM read_json('{link}', format = 'newline_delimited',"
        f" compression = '{_compression(path)}', columns = {{{types}}})"
        for link, path in links.items()
    )
    try:
        yield f"({' UNION ALL '.join(parts)})"
    except ConfigError as exc:
        text = str(exc)
        for link, path in links.items():
            text = text.replace(link, str(path))
        text = _BROKEN.sub(_with_the_line, text)
        names = ", ".join(str(path) for path in paths)
        raise ConfigError(text if names in text else f"{names}: {text}") from exc


def check_complete(
    database: Database, table: str, required: Sequence[str], paths: Sequence[Path], what: str
) -> None:
    """Raises ConfigError when a row lacks one of the ``required`` columns."""
    missing = " OR ".join(f"{column} IS NULL" for column in required)
    count = database.value(f"SELECT count(*) FROM {table} WHERE {missing}")
    if count:
        names = ", ".join(str(path) for path in paths)
        fields = ", ".join(_FIELD_OF.get(column, column) for column in required)
        raise ConfigError(f"{names}: {count} lines are not {what}: each needs {fields}")


def _with_the_line(found: re.Match[str]) -> str:
    """The same text, with the line before when it is that one which is no JSON."""
    line = int(found["line"])
    with open_lines(found["path"]) as lines:
        before = next(islice(lines, max(line - 2, 0), line - 1), None)
    try:
        json.loads(before or b"{}")
    except ValueError:
        line -= 1
    return f"{found[1]}{line}"


def _compression(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return "gzip" if file.read(2) == _GZIP_MAGIC else "none"
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
