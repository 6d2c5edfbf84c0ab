"""Commands: every option, from the parser itself."""

import argparse
from collections.abc import Iterator
from typing import Final

from app.cli import _parser
from deploy.checks.support.reference.markdown import code, table

_HEAD: Final = """\
# Commands

Exit codes:

| code | |
|---|---|
| 0 | done |
| 1 | the job failed: Kafka does not answer, a worker stopped with an error, topics differ |
| 2 | bad usage or bad input |
| 3 | `plan`: something differs |
| 130 | interrupted |
| 141 | the reader of what is printed has gone (a closed pipe) |

"""


def commands() -> str:
    """The page."""
    return _HEAD + "\n".join(_sections(_parser(), "triggers"))


def _sections(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {each.dest: each.help or "" for each in action._choices_actions}
            for word, child in action.choices.items():
                path = f"{name} {word}"
                yield f"## {path}\n\n{_section(child, helps.get(word, ''))}"
                yield from _sections(child, path)


def _section(parser: argparse.ArgumentParser, summary: str) -> str:
    description = (parser.description or "").replace("%(prog)s", parser.prog)
    text = _escaped(description or f"{summary[:1].upper()}{summary[1:]}.") + "\n"
    rows = [
        (_option(action), _escaped((action.help or "") % vars(action)))
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)
        and action.help != argparse.SUPPRESS
    ]
    return f"{text}\n{table(('option', ''), rows)}" if rows else text


def _option(action: argparse.Action) -> str:
    value = action.metavar or (
        "|".join(map(str, action.choices)) if action.choices else action.dest.upper()
    )
    shown = " ".join(value) if isinstance(value, tuple) else str(value)
    if not action.option_strings:
        return code(shown)
    takes = "" if action.nargs == 0 else f" [{shown}]" if action.nargs == "?" else f" {shown}"
    required = " (required)" if action.required else ""
    return code(f"{', '.join(action.option_strings)}{takes}") + required


def _escaped(words: str) -> str:
    return words.replace("*", "\\*").replace("<", "\\<")
