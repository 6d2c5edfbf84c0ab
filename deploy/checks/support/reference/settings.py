"""Settings: every variable with what it takes, its default and what it is for."""

from pathlib import Path
from typing import Final

from app.settings.model import Row, rows, topic_variable
from app.settings.parsers import Secret, duration_text, text
from app.settings.topics import TOPICS
from app.settings.variable import PREFIX
from deploy.checks.support.reference.markdown import code, table

_HEAD: Final = f"""\
# Settings

`{PREFIX}*` variables; options of commands override them. One that is not known, one that is wrong
and those that contradict each other are refused, all at once. A variable set to nothing counts as
not set. A secret can come from a mounted file (`..._FILE`), and should: then it is neither in the
environment nor in the process list.

"""
_TOPICS: Final = f"""
## Names of topics

A name takes the place of prefix and logical name. Input topics that the rules file declares have
one too, as in `{PREFIX}TOPIC_SUPPORT` for `support`.

"""


def settings() -> str:
    """The page."""
    found = table(("variable", "takes", "default", ""), (_row(row) for row in rows()))
    names = table(
        ("variable", "topic"),
        (
            (code(topic_variable(topic.name)), code(topic.name))
            for topic in TOPICS
            if topic.role != "internal"
        ),
    )
    return _HEAD + found + _TOPICS + names


def _row(row: Row) -> tuple[str, ...]:
    name = code(PREFIX + row.variable.name)
    if row.variable.parse_file is not None:
        name += f", {code('..._FILE')}"
    return name, _takes(row), code(_default(row)), row.variable.sentence


def _takes(row: Row) -> str:
    """What the parser says that it expects, of a text that nothing takes."""
    if row.variable.parse is Secret:
        return "a secret"
    if row.variable.parse is text:
        return "text"
    if row.variable.parse is Path:
        return "a path"
    expected = ""
    for wrong in ("\0", "0ms"):
        try:
            row.variable.parse(wrong)
        except ValueError as exc:
            expected = str(exc).partition(" (")[0]
    return expected


def _default(row: Row) -> object:
    value = row.default
    if row.field == "rules_path":
        return "the rules that ship with it"
    if row.field.endswith("_ms") and isinstance(value, int):
        return duration_text(value)
    if row.field.endswith("_s") and isinstance(value, float):
        return duration_text(round(value * 1000))
    return value
