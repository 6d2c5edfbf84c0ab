"""``triggers``: finds the commands, runs one, and turns errors into exit codes."""

import argparse
import gc
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from typing import Final

from app import commands
from app.core.errors import ConfigError, EventError, InfrastructureError
from app.formats.printable import PrintableStream, printable

DONE: Final = 0
FAILED: Final = 1
BAD_INPUT: Final = 2
#: as shells say it: 128 + SIGINT, 128 + SIGPIPE
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
#: Commands that print tables with styles; and those that print no value from outside and may steer
#: the terminal.
_STYLED: Final = frozenset({"experiments", "funnel", "kpis", "plan", "segments"})
_OWN_TERMINAL: Final = frozenset({"demo", "worker"})
#: Commands that look at the options of all others.
_OF_ALL: Final = frozenset({"completion"})
#: The commands by who uses them, as the help lists them.
READERS: Final = {
    "to begin": ("init", "demo", "completion"),
    "for rules": ("validate", "backtest", "plan", "explain", "studio"),
    "for publishers": ("publish", "contracts"),
    "to measure": ("kpis", "experiments", "funnel", "segments"),
    "to operate": ("topics", "worker", "seed", "health"),
}


class _HelpByReader(argparse.HelpFormatter):
    """Lists the commands under their readers."""

    def _format_action(self, action: argparse.Action) -> str:
        if not isinstance(action, argparse._SubParsersAction):
            return super()._format_action(action)
        entries = {each.dest: each for each in action._choices_actions}
        parts: list[str] = []
        self._indent()
        for reader, names in READERS.items():
            listed = (super(_HelpByReader, self)._format_action(entries[name]) for name in names)
            parts += [f"  {reader}\n", *listed]
        self._dedent()
        return "".join(parts)


def console() -> int:
    """The process ``triggers``: see ``main``."""
    code = main()
    # at its end Python looks for cycles: among a hundred thousand customers for a fifth of the time
    gc.freeze()
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``argv`` (default: the process's own arguments) and return the exit code."""
    try:
        code = _run(argv)
        sys.stdout.flush()
    except (ConfigError, EventError) as exc:
        print(printable(f"triggers: {exc}"), file=sys.stderr)
        return BAD_INPUT
    except InfrastructureError as exc:
        print(printable(f"triggers: {exc}"), file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # what is still buffered would fail again when the interpreter flushes it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


def _run(argv: Sequence[str] | None) -> int:
    try:
        argv = sys.argv[1:] if argv is None else argv
        args = _parser(argv[0] if argv else None).parse_args(argv)
    except SystemExit as exc:
        # argparse has printed the help, the version, or what is wrong
        return BAD_INPUT if exc.code else DONE
    shown = PrintableStream(sys.stdout, has_styles=args.command in _STYLED)
    with nullcontext() if args.command in _OWN_TERMINAL else redirect_stdout(shown):
        code: int = args.run(args)
        return code


def _parser(named: str | None = None) -> argparse.ArgumentParser:
    """The parser of the command ``named``, where it is one, else of all: each costs imports."""
    from app.compiled import core_kind
    from app.version import ENGINE_VERSION

    parser = argparse.ArgumentParser(
        prog="triggers",
        formatter_class=_HelpByReader,
        description="A lifecycle-messaging trigger engine that runs next to Kafka.",
        epilog="Exit codes: 0 done, 1 the job failed, 2 bad usage or bad input.",
    )
    version = f"triggers {ENGINE_VERSION} ({core_kind()})"
    parser.add_argument("--version", action="version", version=version)
    parser.set_defaults(parser=parser)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    found = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))
    names = [name for name in found if not name.startswith("_")]
    for name in [named] if named in names and named not in _OF_ALL else names:
        importlib.import_module(f"{commands.__name__}.{name}").add_parser(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(console())
