"""``triggers publish FILE``: JSON lines onto Kafka."""

import argparse
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Final

from app.commands._options import Subparsers, add_kafka_options, add_setting, declared_settings_from

if TYPE_CHECKING:
    from app.publish.publish import PublishReport
    from app.settings.model import Settings

#: Messages about lines wait in memory up to here, on disk beyond: the summary is printed first.
_SPOOL_BYTES: Final = 16 << 20


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "publish",
        help="put JSON lines onto Kafka",
        description="Put JSON lines onto Kafka, in order: {topic, key, value} or an event with its"
        " topic. With a bad line nothing is published and the exit code is 2.",
    )
    parser.add_argument("file", metavar="FILE", help="plain or gzip; - is standard input")
    parser.add_argument(
        "--keep-going", action="store_true", help="publish the good lines when some are bad"
    )
    parser.add_argument(
        "--timestamps",
        choices=("now", "occurred_at"),
        default="now",
        help="record timestamp of {topic, key, value} lines that give none: now (default), or"
        " the event's own time, for `triggers worker --clock records`",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="publish nothing: say all that is wrong, line by line; needs no broker",
    )
    add_setting(parser, "--rules", "TRIGGER_RULES", "with --check: the rules to be right by")
    add_kafka_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0; 2 when a line is bad, whether or not the others were published."""
    settings = declared_settings_from(args)
    if args.check:
        return _check(args, settings)
    from app.commands._progress import show_progress
    from app.formats.json_lines import open_lines
    from app.publish.publish import publish

    with open_lines(args.file) as lines, show_progress(lines):
        report = publish(settings, lines, timestamps=args.timestamps, keep_going=args.keep_going)
    print_report(report, lines.name)
    return 2 if report.bad else 0


def _check(args: argparse.Namespace, settings: "Settings") -> int:
    """0; 2 when a line has an error. Warnings alone are no reason to stop a pipeline."""
    from app.backtest.history_review import HistoryReview
    from app.commands._progress import show_progress
    from app.formats.json_lines import open_lines
    from app.publish.check.lines import check_lines
    from app.publish.check.summary import Summary
    from app.rules_file.load import load_rules

    rules = load_rules(settings.rules_path)
    summary = Summary()
    with (
        open_lines(args.file) as lines,
        tempfile.SpooledTemporaryFile(_SPOOL_BYTES, "w+", encoding="utf-8") as report,
    ):
        review = HistoryReview(lines.name, time.time_ns() // 1_000_000)
        with show_progress(lines):
            for checked in check_lines(lines, rules, args.timestamps, review):
                for text in summary.take(checked):
                    report.write(f"{lines.name}:{checked.number}: {text}\n")
        for text in review.remarks():
            summary.file_warnings += 1
            print(f"warning: {text}")
        report.seek(0)
        for text in report:
            print(text, end="")
    for text in summary.text():
        print(text)
    return 2 if summary.with_errors else 0


def print_report(report: "PublishReport", name: str) -> None:
    """What was published, by topic, and which lines were not."""
    for line in report.bad_lines:
        print(f"{name}:{line.number}: {line.problem}", file=sys.stderr)
    if report.bad:
        outcome = "the others were published" if report.published else "nothing was published"
        print(f"bad lines: {report.bad}; {outcome}", file=sys.stderr)
    for topic, count in sorted(report.published.items()):
        print(f"published {count} to {topic}")
