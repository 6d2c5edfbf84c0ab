"""The embedded database that a report works in: temporary, within a memory limit."""

import tempfile
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import duckdb

from app.core.errors import ConfigError, InfrastructureError

#: What a report may use; the rest goes to disk.
MEMORY_LIMIT: Final = "1GB"
_SPEEDS: Final = {
    "threads": 2,
    "preserve_insertion_order": False,
    "autoinstall_known_extensions": False,
}


class Database:
    """A database for one report. Use it with ``with``: its temporary folder goes at the end."""

    def __init__(self, memory_limit: str = MEMORY_LIMIT) -> None:
        self._links = count()
        self._is_on_one_thread = False
        self._folder = tempfile.TemporaryDirectory(prefix="triggers-analysis-")
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "temp_directory": self._folder.name,
            **_SPEEDS,
        }
        try:
            self._connection = duckdb.connect(":memory:", config=settings)
        except duckdb.Error as exc:
            self._folder.cleanup()
            raise ConfigError(
                f"--memory: expected a size like 1GB, got {memory_limit!r}: {_first_line(exc)}"
            ) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()
        self._folder.cleanup()

    def link(self, path: Path) -> str:
        """A name for the file without characters that SQL or a file pattern would read."""
        link = Path(self._folder.name) / f"input-{next(self._links)}"
        link.symlink_to(path.absolute())
        return str(link)

    def run(self, query: str, parameters: dict[str, Any] | None = None) -> None:
        """A statement without a result."""
        self._execute(query, parameters)

    def rows(self, query: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """The result, a dictionary a row: for results that are small."""
        found = self._execute(query, parameters)
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def value(self, query: str, parameters: dict[str, Any] | None = None) -> Any:
        """The first column of the only row."""
        row = self._execute(query, parameters).fetchone()
        return None if row is None else row[0]

    def columns(self, query: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        """The result as one numpy array a column."""
        return dict(self._execute(query, parameters).fetchnumpy())

    def insert(self, table: str, columns: dict[str, Any]) -> None:
        """Append numpy arrays, one a column of the table, in its order."""
        self._connection.register("arriving", columns)
        try:
            self._execute(f"INSERT INTO {table} SELECT * FROM arriving", None)
        finally:
            self._connection.unregister("arriving")

    def _execute(self, query: str, parameters: dict[str, Any] | None) -> duckdb.DuckDBPyConnection:
        try:
            return self._connection.execute(query, parameters)
        except (duckdb.InvalidInputException, duckdb.ConversionException) as exc:
            raise ConfigError(f"cannot be understood: {_first_line(exc)}") from exc
        except duckdb.OutOfMemoryException as exc:
            if self._is_on_one_thread:
                raise InfrastructureError(
                    f"the report needs more memory, give it with --memory: {_first_line(exc)}"
                ) from exc
        except duckdb.IOException as exc:
            raise ConfigError(f"cannot be read: {_first_line(exc)}") from exc
        # each thread holds buffers of its own: one needs some 80 MB less than two
        self._is_on_one_thread = True
        self._execute("SET threads = 1", None)
        return self._execute(query, parameters)


def _first_line(exc: Exception) -> str:
    return str(exc).splitlines()[0]
