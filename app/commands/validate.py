"""``triggers validate RULES``: every problem of a rules file, or what it holds."""

import argparse
from pathlib import Path

from app.core.rules.rates import require_share
from app.rules_file.load import load_rules


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("validate", help="check a rules file and say all that is wrong")
    parser.add_argument("rules", type=Path, metavar="RULES")
    parser.add_argument(
        "--partitions",
        type=int,
        metavar="N",
        help="partitions of the input topics: refuses a send rate that has no share for each",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what the file holds; a wrong one raises ConfigError with all its problems."""
    rules = load_rules(args.rules)
    if args.partitions is not None:
        require_share(rules, args.partitions)
    steps = sum(len(trigger.steps) for trigger in rules.triggers.values())
    print(f"{args.rules}: valid, {len(rules.triggers)} triggers, {steps} steps")
    print(f"rules_version {rules.version}")
    return 0
