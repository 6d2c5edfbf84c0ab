"""``triggers experiments``: what the variants did, and promoting a winner."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.commands._files import add_files, add_memory, named_or_saved_rules
from app.commands._options import Subparsers, parse_instant_option
from app.commands._reports import add_format, print_as
from app.core.errors import ConfigError

if TYPE_CHECKING:
    from app.analysis.experiments.report import Judged
    from app.core.rules.model import Rules

FAILED: Final = 1


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "experiments",
        help="samples, lifts, and a verdict once the planned sample is there",
        description="Judge every experiment of the rules on files of decisions and outcomes: JSON"
        " lines, plain or gzip. The unit is the customer. A verdict is given once, so it may be"
        " asked for every day.",
        epilog="Exit codes: 0 done, 1 nothing to promote, 2 bad usage or bad input.",
    )
    parser.add_argument("--rules", type=Path, required=True, help="as the decisions were made with")
    add_files(parser, "--decisions", "what was decided", required=True)
    add_files(parser, "--outcomes", "what it led to", required=True)
    parser.add_argument("--now", metavar="T", help="judge as of T (default: the last in the files)")
    parser.add_argument(
        "--lift",
        type=_lift,
        default=0.15,
        metavar="SHARE",
        help="the relative lift to plan the sample for (default 0.15)",
    )
    parser.add_argument(
        "--earlier",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="rules of before, to say what was changed in an experiment that has become invalid"
        " (default: run.json in the folder of the decisions)",
    )
    parser.add_argument("--only", metavar="NAME", help="this experiment alone: a page for its team")
    parser.add_argument(
        "--promote",
        nargs="?",
        type=Path,
        const=True,
        metavar="FILE",
        help="write the rules with each winner in place of its experiment, to FILE or in place",
    )
    add_memory(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the findings; with ``--promote`` 1 when there is no winner."""
    from app.analysis.extra import require

    require("triggers experiments")

    from app.analysis.data.database import Database
    from app.analysis.experiments.page import experiments_page
    from app.analysis.experiments.report import judge_all
    from app.analysis.experiments.written import judged_json, print_judged
    from app.rules_file.load import load_rules

    rules = load_rules(args.rules)
    now_ms = None if args.now is None else parse_instant_option(args.now, "--now")
    with Database(args.memory) as database:
        judged = judge_all(
            database,
            rules,
            args.decisions,
            args.outcomes,
            now_ms=now_ms,
            lift=args.lift,
            earlier=_earlier(args),
        )
    if args.only is not None:
        names = [each.design.name for each in judged]
        judged = [each for each in judged if each.design.name == args.only]
        if not judged:
            expected = ", ".join(names) or "none: the rules have no experiments"
            raise ConfigError(f"--only: expected one of {expected}, got {args.only!r}")
    print_as(
        args.format,
        json=lambda: judged_json(judged),
        html=lambda: experiments_page(judged),
        table=lambda console: print_judged(judged, console),
    )
    return 0 if args.promote is None else _promote(args, judged)


def _earlier(args: argparse.Namespace) -> "list[Rules]":
    """The rules that were named, else those that a backtest saved with its decisions."""
    from app.rules_file.load import load_rules

    saved = None if args.earlier else named_or_saved_rules(None, args.decisions[0])
    return [load_rules(path) for path in args.earlier] if saved is None else [saved]


def _promote(args: argparse.Namespace, judged: "Sequence[Judged]") -> int:
    """Says on standard error what was done, so that the report stays as it is."""
    from app.analysis.experiments.promote import promote_file

    winners = {
        each.design.name: each.finding.winner for each in judged if each.finding.winner is not None
    }
    if not winners:
        print("triggers experiments: no winner, nothing is promoted", file=sys.stderr)
        return FAILED
    target = args.rules if args.promote is True else args.promote
    promote_file(args.rules, target, winners)
    for name, winner in winners.items():
        print(f"{target}: {winner} takes the place of {name}", file=sys.stderr)
    return 0


def _lift(text: str) -> float:
    try:
        lift = float(text)
    except ValueError:
        lift = 0.0
    if not lift or not -1 < lift < 100:
        raise argparse.ArgumentTypeError(f"expected a share like 0.15, got {text!r}")
    return lift
