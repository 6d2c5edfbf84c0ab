"""``triggers explain CUSTOMER``: where one customer stands, and why."""

import argparse
import sys
from pathlib import Path

from app.commands._options import Subparsers
from app.core.errors import ConfigError


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "explain", help="a customer's state, timers, limits, and why messages were (not) sent"
    )
    parser.add_argument("customer", metavar="CUSTOMER", help="the customer's id")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="what triggers backtest wrote"
    )
    parser.add_argument(
        "--last", type=whole_number, default=20, help="how many decisions (default 20)"
    )
    parser.add_argument(
        "--show-personal", action="store_true", help="name, addresses, birthday and attributes too"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def whole_number(text: str) -> int:
    count = int(text)
    if count < 0:
        raise ValueError(text)
    return count


def run(args: argparse.Namespace) -> int:
    """Print the explanation; a customer without a record is bad input."""
    import orjson

    from app.backtest.kept import KeptRun
    from app.explain.explain import explain
    from app.explain.written import explanation_json, explanation_text

    kept = KeptRun(args.out)
    customer = kept.customer(args.customer)
    if customer is None:
        raise ConfigError(
            f"{args.out}: no customer {args.customer!r} there: no event of theirs was applied, or"
            " they were erased"
        )
    explanation = explain(
        customer,
        kept.rules,
        kept.now_ms,
        kept.decisions(args.customer),
        show_personal=args.show_personal,
        recent=args.last,
    )
    if args.format == "json":
        shown = explanation_json(explanation)
        sys.stdout.write(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write(explanation_text(explanation))
    return 0
