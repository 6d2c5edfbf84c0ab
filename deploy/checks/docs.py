"""Documentation: reference pages are what the code says, and the site builds without a warning.

Sphinx warns of links and anchors that lead nowhere and of pages that nothing leads to.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.checks.support.place import Place
from deploy.checks.support.place import run as call
from deploy.checks.support.reference import pages
from deploy.checks.support.results import Broken, Result, failed, judged, ok

_FROM_ELSEWHERE: Final = re.compile(
    r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=\"(?:https?:)?//"
)


def write(place: Place) -> None:
    """Make the reference pages what the code says."""
    for name, content in pages().items():
        path = place.deploy / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def run(place: Place) -> Iterator[Result]:
    """Up to date, then built."""
    folder = place.deploy / "docs"
    expected = pages()
    problems = [
        f"deploy/docs/{name}: is not what the code says; deploy/check --write docs"
        for name, content in expected.items()
        if not (folder / name).is_file() or (folder / name).read_text() != content
    ]
    problems += [
        f"deploy/docs/reference/{path.name}: nothing makes it any more"
        for path in sorted((folder / "reference").glob("*.md"))
        if f"reference/{path.name}" not in expected
    ]
    yield judged("reference pages are what the code says", problems, f"{len(expected)} pages")
    out = Path(os.environ.get("DOCS_OUT") or place.folder("docs"))
    try:
        build(place, out)
    except Broken as exc:
        yield failed("the site builds without a warning", str(exc))
        return
    found = sorted(out.rglob("*.html"))
    yield ok("the site builds without a warning", f"{len(found)} pages in {out}")
    yield judged(
        "the site needs nothing from elsewhere",
        [f"{path.name}: {part}" for path in found for part in _foreign(path)],
        f"{sum(path.stat().st_size for path in found) / 1e6:.1f} MB of pages",
    )


def build(place: Place, out: Path) -> None:
    """Make the site in ``out``. Raises Broken with Sphinx's words."""
    sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-b", "html"]
    trees = place.folder("doctrees")
    call([*sphinx, "-d", trees, "-c", place.deploy / "docs", place.deploy, out])


def _foreign(path: Path) -> list[str]:
    return _FROM_ELSEWHERE.findall(path.read_text())
