"""How commands print a report: as a table, as JSON, or as a page."""

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

#: Columns of a table that goes into a file or a pipe.
_WIDTH_IN_FILES: Final = 160


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add ``--format``."""
    parser.add_argument("--format", choices=("table", "json", "html"), default="table")


def print_as(
    form: str,
    *,
    json: Callable[[], str],
    html: Callable[[], str],
    table: "Callable[[Console], None]",
) -> None:
    """Print a report in one of the forms of ``--format``; only that one is made."""
    match form:
        case "json":
            print(json())
        case "html":
            sys.stdout.write(html())
        case _:
            table(console())


def console(width_in_files: int = _WIDTH_IN_FILES) -> "Console":
    """Standard output for tables; ``width_in_files`` when it is no terminal."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else width_in_files, highlight=False)
