"""``triggers plan OLD NEW``: what a change of the rules would do."""

import argparse
import gc
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from app.commands._options import Subparsers, parse_instant_option
from app.commands._reports import console
from app.rules_file.load import load_rules

#: Exit code when something differs, so that a pull-request check can ask for a second look.
DIFFERS: Final = 3
_WIDTH_IN_FILES: Final = 120


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "plan",
        help="what a rules change would do to timers and messages",
        epilog="Exit codes: 0 nothing differs, 3 something does, 2 bad usage or bad input.",
    )
    parser.add_argument("old", type=Path, metavar="OLD", help="the rules as they are")
    parser.add_argument("new", type=Path, metavar="NEW", help="the rules as they would be")
    parser.add_argument(
        "--events",
        nargs="+",
        metavar="FILE",
        help="history to decide over with both, as for backtest; - is standard input",
    )
    parser.add_argument("--until", metavar="T", help="run the clock on to T after the last record")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the plan; 3 when something differs."""
    from app.backtest.history import merge_arrivals, read_arrivals
    from app.formats.json_lines import open_lines
    from app.plan.plan import plan_change
    from app.plan.written import plan_json, print_plan

    old, new = load_rules(args.old), load_rules(args.new)
    until_ms = None if args.until is None else parse_instant_option(args.until, "--until")
    gc.disable()  # as for a backtest: both runs keep all customers in memory
    with ExitStack() as stack:
        arrivals = None
        if args.events is not None:
            readers = [stack.enter_context(open_lines(name)) for name in args.events]
            arrivals = merge_arrivals([read_arrivals(reader) for reader in readers])
        plan = plan_change(old, new, arrivals, until_ms=until_ms)
    if args.format == "json":
        print(plan_json(plan))
    else:
        print_plan(plan, console(_WIDTH_IN_FILES))
    return 0 if plan.is_same else DIFFERS
