"""What a terminal gets of texts from outside."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import cli
from app.formats.printable import PrintableStream, printable

#: Sets a title, clears the screen, hides what follows, turns the line around.
HOSTILE = "\x1b]0;x\x07\x1b[2J\x9b8m\u202eevil"


@given(st.text())
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    """Newlines and tabs are; the rest of the text is as it was."""
    shown = printable(text)
    assert all(char in "\n\t" or (char >= " " and not "\x7f" <= char <= "\x9f") for char in shown)
    assert printable(shown) == shown


def test_json_says_the_same_in_escapes() -> None:
    """A reader of JSON gets the character back."""
    assert json.loads(printable(json.dumps(HOSTILE, ensure_ascii=False))) == HOSTILE


def test_tables_keep_their_colours_and_nothing_else() -> None:
    """Only where a report has styles."""
    stream = io.StringIO()
    PrintableStream(stream, has_styles=True).write(f"\x1b[1mhead\x1b[0m {HOSTILE}")
    assert stream.getvalue().startswith("\x1b[1mhead\x1b[0m \\u001b]0;x")
    assert "\x1b[2J" not in stream.getvalue()


def test_what_a_command_prints_and_complains_of_is_harmless(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A path with an escape comes back in the error, spelt out."""
    assert cli.main(["validate", f"/nowhere/{HOSTILE}.yaml"]) == 2
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert "u001b" in said.err or "x1b" in said.err
