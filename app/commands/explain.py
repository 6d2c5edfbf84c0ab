"""``triggers explain CUSTOMER``: where one customer stands, and why."""

import argparse
import sys
from pathlib import Path
from typing import Final

from app.commands._options import Subparsers, settings_from
from app.core.errors import ConfigError

#: where ``triggers worker`` serves by default
DEFAULT_WORKER: Final = "http://localhost:6066"


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "explain", help="a customer's state, timers, limits, and why messages were (not) sent"
    )
    parser.add_argument("customer", metavar="CUSTOMER", help="the customer's id")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--out", type=Path, metavar="DIR", help="what triggers backtest wrote")
    source.add_argument(
        "--worker",
        default=DEFAULT_WORKER,
        metavar="URL",
        help=f"a running worker, any of them (default {DEFAULT_WORKER})",
    )
    parser.add_argument(
        "--last", type=whole_number, default=20, help="how many decisions (default 20)"
    )
    parser.add_argument(
        "--show-personal",
        action="store_true",
        help="name, addresses, birthday and attributes too; a worker wants TRIGGER_WEB_TOKEN",
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
    sys.stdout.write(_asked(args) if args.out is None else _kept(args))
    return 0


def _asked(args: argparse.Namespace) -> str:
    """From a worker. Only who asks for personal data shows the token."""
    from app.explain.asked import ask_worker

    query = {"last": str(args.last), "format": args.format}
    if args.show_personal:
        query["show_personal"] = "1"
    token = settings_from(args).web_token if args.show_personal else None
    return ask_worker(args.worker, args.customer, query, token)


def _kept(args: argparse.Namespace) -> str:
    """From a backtest's folder."""
    import orjson

    from app.backtest.saved_run import SavedRun
    from app.explain.explain import explain
    from app.explain.written import explanation_json, explanation_text

    kept = SavedRun(args.out)
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
        return orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode() + "\n"
    return explanation_text(explanation)
