"""``triggers kpis``: what the messages achieved."""

import argparse
import re
from pathlib import Path
from typing import Final

from app.commands._files import add_files, add_memory, named_or_saved_rules
from app.commands._options import Subparsers
from app.commands._reports import add_format, print_as
from app.commands._segments import add_segments, customers_for_segments
from app.core.time.instants import parse_rfc3339

#: As ``app.analysis.kpis.dimensions`` has them; that module needs the extra.
BY: Final = ("trigger", "step", "channel", "segment", "cluster", "variant", "week")
#: Later than any message.
MAX_MS: Final = 1 << 62


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "kpis",
        help="recovery, conversion, lift over the holdout, revenue, list health",
        description="Figures with their 95 % interval and sample, from files of decisions and"
        " outcomes: JSON lines, plain or gzip. Figures that they do not allow are marked as"
        " missing.",
    )
    add_files(parser, "--decisions", "what was decided", required=True)
    add_files(parser, "--outcomes", "what it led to", required=True)
    add_files(parser, "--events", "the history: for what needs all purchases")
    parser.add_argument("--by", choices=BY, help="one group for each of these")
    parser.add_argument(
        "--rules", type=Path, help="which triggers are what (default: run.json in their folder)"
    )
    add_segments(parser)
    parser.add_argument(
        "--currency", type=_currency, metavar="CODE", help="count money in this one only, like EUR"
    )
    parser.add_argument(
        "--cost",
        nargs="+",
        type=_cost,
        default=[],
        metavar="CHANNEL=MONEY",
        help="what a message costs, like sms=0.05: adds the cost and the return on it",
    )
    parser.add_argument(
        "--period", type=_period, metavar="FROM/TO", help="messages decided in it only"
    )
    parser.add_argument(
        "--against",
        type=_period,
        metavar="FROM/TO",
        help="another period to compare with, like 2026-01-01/2026-02-01, with the differences",
    )
    add_memory(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report."""
    from app.analysis.extra import require

    require("triggers kpis")
    from msgspec.structs import replace

    from app.analysis.data.database import Database
    from app.analysis.kpis.page import report_page
    from app.analysis.kpis.report import Question, compared_with, make_report
    from app.analysis.kpis.written import print_report, report_json

    rules = named_or_saved_rules(args.rules, args.decisions[0])
    period = args.period
    if args.against is not None and period is None:
        period = (args.against[1], MAX_MS)
    question = Question(
        decisions=args.decisions,
        outcomes=args.outcomes,
        events=args.events,
        by=args.by,
        rules=rules,
        customers=customers_for_segments(args, rules) if args.by == "segment" else None,
        currency=args.currency,
        period=period,
        costs=dict(args.cost),
    )
    with Database(args.memory) as database:
        report = make_report(question, database)
    if args.against is not None:
        with Database(args.memory) as database:
            other = make_report(replace(question, period=args.against), database)
        report = compared_with(report, other)
    print_as(
        args.format,
        json=lambda: report_json(report),
        html=lambda: report_page(report),
        table=lambda console: print_report(report, console),
    )
    return 0


def _cost(text: str) -> tuple[str, float]:
    channel, _, money = text.partition("=")
    try:
        cost = float(money)
    except ValueError:
        cost = -1.0
    if not channel or not 0 <= cost < float("inf"):
        raise argparse.ArgumentTypeError(f"expected CHANNEL=MONEY like sms=0.05, got {text!r}")
    return channel, cost


def _currency(text: str) -> str:
    if not re.fullmatch("[A-Za-z]{3}", text):
        raise argparse.ArgumentTypeError(f"expected an ISO 4217 code like EUR, got {text!r}")
    return text.upper()


def _period(text: str) -> tuple[int, int]:
    """From and to in epoch ms, of dates (in UTC) or RFC 3339 times."""
    first, _, last = text.partition("/")
    try:
        period = _instant(first), _instant(last)
    except ValueError:
        period = 0, 0
    if period[0] >= period[1]:
        raise argparse.ArgumentTypeError(
            f"expected FROM/TO like 2026-01-01/2026-02-01, the later last, got {text!r}"
        )
    return period


def _instant(text: str) -> int:
    return parse_rfc3339(text if "T" in text else f"{text}T00:00:00Z")
