"""A backtest's own process asks for huge pages, once, and hands the wish on to nobody."""

import os
import subprocess
import sys

from app.commands._huge_pages import _WISH, _can_ask

_PROGRAM = """
import os, sys
from app.commands._huge_pages import use_huge_pages
begun_with = {name: os.environ.get(name) for name in %r}
use_huge_pages()
print(begun_with, sorted(os.environ.keys() & begun_with.keys()), sys.argv[1:])
"""


def _run(**variables: str) -> str:
    environ = {name: value for name, value in os.environ.items() if name not in _WISH}
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM % list(_WISH), "an argument"],
        env=environ | variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    ).stdout.strip()


def test_the_process_begins_anew_where_it_can() -> None:
    """With the wish when it can be granted, without it elsewhere; the arguments are the same."""
    begun_with = _WISH if _can_ask() else dict.fromkeys(_WISH)
    assert _run() == f"{begun_with} [] ['an argument']"


def test_a_choice_of_the_user_stays() -> None:
    """A variable that the user has set is not changed."""
    begun_with = {**dict.fromkeys(_WISH), "PYTHONMALLOC": "pymalloc"}
    assert _run(PYTHONMALLOC="pymalloc") == f"{begun_with} ['PYTHONMALLOC'] ['an argument']"
