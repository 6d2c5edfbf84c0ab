"""The runbook: its links lead somewhere, and its ``triggers`` commands are ones that exist."""

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.cli import _parser

RUNBOOK: Final = Path(__file__).parents[1] / "RUNBOOK.md"

_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK: Final = re.compile(r"\]\(#([^)]*)\)")
_BLOCK: Final = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"(?<!`)`(triggers [^`]+)`(?!`)")


def anchors(path: Path) -> set[str]:
    """What a link may name: headings as Git hosts turn them into anchors."""
    text = _BLOCK.sub("", path.read_text())
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in _HEADING.findall(text)
    }


def dead_links(path: Path = RUNBOOK) -> list[str]:
    """Links to sections that are not there."""
    known = anchors(path)
    return [
        f"#{name}: no such section" for name in _LINK.findall(path.read_text()) if name not in known
    ]


def commands(path: Path = RUNBOOK) -> Iterator[str]:
    """Every ``triggers`` command line: in blocks, behind kubectl too, and in the text. One in the
    text that gives no option may be a mere mention: its help is asked for.
    """
    text = path.read_text()
    for block in _BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            _, found, rest = f" {line.strip()}".partition(" triggers ")
            if found and not line.strip().startswith(("helm", "kafka-")):
                yield "triggers " + re.split(r"[|>#]", rest)[0].strip()
    for line in _INLINE.findall(text):
        yield line if " -" in line else f"{line} --help"


def unknown_commands(path: Path = RUNBOOK) -> list[str]:
    """Commands that the command line refuses."""
    return [f"{line}: {problem}" for line in commands(path) if (problem := _refused(line))]


def _refused(line: str) -> str:
    """What the parser says against it; nothing when it takes it. ``...`` stands for a file."""
    arguments = [word.replace("...", "FILE") for word in shlex.split(line)[1:]]
    printed = io.StringIO()
    with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(printed):
        try:
            _parser().parse_args(arguments)
        except SystemExit as exc:
            return printed.getvalue().strip().rpartition("\n")[2] if exc.code else ""
    return ""
