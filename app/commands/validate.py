"""``triggers validate RULES``: every problem of a rules file, or what it holds and what is odd."""

import argparse
from pathlib import Path

from app.commands._options import Subparsers, positive_number
from app.core.rules.rates import require_share
from app.rules_file.load import load_rules_with_warnings


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "validate",
        help="check a rules file and say all that is wrong",
        description="Say all that is wrong in a rules file, with line and column, what was expected"
        " and what may have been meant; of a valid one, what is odd.",
    )
    parser.add_argument("rules", type=Path, metavar="RULES", help="the rules file")
    parser.add_argument(
        "--partitions",
        type=positive_number,
        metavar="N",
        help="partitions of the input topics: refuses a send rate that has no share for each",
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with 2 also when something is odd"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0, or 2 for odd rules under ``--strict``; wrong ones raise ConfigError with all problems."""
    rules, odd_parts = load_rules_with_warnings(args.rules)
    if args.partitions is not None:
        require_share(rules, args.partitions)
    for odd in odd_parts:
        print(f"{args.rules}: warning: {odd}")
    steps = sum(len(trigger.steps) for trigger in rules.triggers.values())
    print(f"{args.rules}: valid, {len(rules.triggers)} triggers, {steps} steps")
    print(f"rules_version {rules.version}")
    return 2 if args.strict and odd_parts else 0
