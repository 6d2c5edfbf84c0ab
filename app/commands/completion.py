"""``triggers completion SHELL``: what a shell needs to complete commands, options and files."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.commands._options import Subparsers

_SHELLS: Final = ("bash", "zsh", "tcsh")
_FOLDERS: Final = frozenset({"DIR"})
_FILES: Final = frozenset({"FILE", "HISTORY", "MODEL"})


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "completion",
        help="completion of commands and options for a shell",
        description="Print a script that completes commands, options, choices and files. For bash:"
        ' eval "$(triggers completion bash)" in ~/.bashrc; for zsh: triggers completion zsh >'
        " _triggers in a folder of $fpath; for tcsh: triggers completion tcsh > FILE, and source"
        " it.",
    )
    parser.add_argument("shell", choices=_SHELLS)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    for action in _all_actions(args.parser):
        names = {action.metavar} if isinstance(action.metavar, str) else {action.dest.upper()}
        if names & _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]  # as shtab asks for it
        elif action.type is Path or names & _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(args.parser, shell=args.shell))
    return 0


def _all_actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _all_actions(each)
