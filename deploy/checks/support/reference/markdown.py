"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; bars in cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines) + "\n"


def code(value: object) -> str:
    """As code, or nothing when there is nothing."""
    return f"`{value}`" if value not in (None, "") else ""


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
