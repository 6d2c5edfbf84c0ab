"""``triggers seed``: the past of a new installation, through the normal input topics."""

import argparse

from app.commands._options import (
    Subparsers,
    add_kafka_options,
    add_setting,
    declared_settings_from,
    parse_instant_option,
)


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "seed",
        help="give a new installation its past",
        description="Put a history onto the input topics under its own times, marked so that"
        " workers learn customers, counters and open instances from it, while steps that are due"
        " before T are closed without a decision. Steps that are due later are decided. With a"
        " bad line nothing is published and the exit code is 2.",
    )
    parser.add_argument("file", metavar="HISTORY", help="JSON lines; plain or gzip; - is stdin")
    parser.add_argument(
        "--decide-from",
        required=True,
        metavar="T",
        help="RFC 3339 or epoch milliseconds: nothing that is due before is decided",
    )
    parser.add_argument(
        "--keep-going", action="store_true", help="publish the good lines when some are bad"
    )
    add_setting(parser, "--rules", "TRIGGER_RULES", "the rules: further input topics")
    add_kafka_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0; 2 when a line is bad, whether or not the others were published."""
    settings = declared_settings_from(args)
    from app.commands._progress import show_progress
    from app.commands.publish import print_report
    from app.formats.decode import DECIDE_FROM_HEADER
    from app.formats.json_lines import open_lines
    from app.publish.publish import publish

    decide_from_ms = parse_instant_option(args.decide_from, "--decide-from")
    with open_lines(args.file) as lines, show_progress(lines):
        report = publish(
            settings,
            lines,
            timestamps="occurred_at",
            keep_going=args.keep_going,
            headers=((DECIDE_FROM_HEADER, str(decide_from_ms).encode()),),
        )
    print_report(report, lines.name)
    return 2 if report.bad else 0
