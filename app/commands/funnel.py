"""``triggers funnel``: how far things get through stages, and where they are lost."""

import argparse
from pathlib import Path

from app.commands._files import add_files, add_memory, named_or_saved_rules
from app.commands._options import Subparsers
from app.commands._reports import add_format, print_as
from app.commands._segments import add_segments, customers_for_segments
from app.core.errors import ConfigError
from app.core.time.durations import parse_duration_ms


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "funnel",
        help="stages of a booking or checkout: reached, lost, brought back",
        description="Follows each value of the key from the first stage on, in a history of events"
        " (JSON lines, plain or gzip). With decisions and outcomes also what messages brought back,"
        " and the steps of each journey.",
    )
    add_files(parser, "--events", "the history", required=True)
    parser.add_argument(
        "--stages", type=_stages, required=True, metavar="A,B,C", help="event types, in order"
    )
    parser.add_argument("--key", required=True, help="the data field that they share")
    parser.add_argument(
        "--within",
        default="7d",
        metavar="DURATION",
        help="how long each is followed (default 7d)",
    )
    parser.add_argument("--by", choices=("segment",), help="one funnel for each of these")
    add_files(parser, "--decisions", "what was decided")
    add_files(parser, "--outcomes", "what it led to")
    parser.add_argument("--rules", type=Path, help="whose segments (default: as for kpis)")
    add_segments(parser)
    add_memory(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the funnel."""
    from app.analysis.extra import require

    require("triggers funnel")

    from app.analysis.data.database import Database
    from app.analysis.funnel.report import FunnelQuestion, make_funnel
    from app.analysis.funnel.written import funnel_json, funnel_page, print_funnel

    if bool(args.decisions) != bool(args.outcomes):
        raise ConfigError("--decisions and --outcomes: expected both or none")
    if args.by == "segment" and not args.decisions:
        raise ConfigError("--by segment: needs --decisions and --outcomes: they say the segments")
    question = FunnelQuestion(
        events=args.events,
        stages=args.stages,
        key=args.key,
        within_ms=_within(args.within),
        decisions=args.decisions,
        outcomes=args.outcomes,
        is_by_segment=args.by == "segment",
        customers=customers_for_segments(args, named_or_saved_rules(args.rules, args.decisions[0]))
        if args.by == "segment"
        else None,
    )
    with Database(args.memory) as database:
        report = make_funnel(question, database)
    print_as(
        args.format,
        json=lambda: funnel_json(report),
        html=lambda: funnel_page(report),
        table=lambda console: print_funnel(report, console),
    )
    return 0


def _stages(text: str) -> list[str]:
    stages = [name.strip() for name in text.split(",")]
    if len(stages) < 2 or not all(stages) or len(set(stages)) < len(stages):
        raise argparse.ArgumentTypeError(
            f"expected two event types or more, each once, like A,B,C; got {text!r}"
        )
    return stages


def _within(text: str) -> int:
    try:
        within_ms = parse_duration_ms(text)
    except ValueError as exc:
        raise ConfigError(f"--within: {exc}") from None
    if not within_ms:
        raise ConfigError("--within: expected a duration longer than nothing")
    return within_ms
