"""``triggers topics create|check``."""

import argparse
import sys

from app.commands._options import Subparsers, add_kafka_options, add_setting, declared_settings_from


def add_parser(subparsers: Subparsers) -> None:
    """Declare the commands."""
    parser = subparsers.add_parser("topics", help="make or check the topics")
    actions = parser.add_subparsers(dest="action", required=True, metavar="create|check")
    create = actions.add_parser("create", help="make the topics that are missing")
    add_kafka_options(create)
    add_setting(create, "--partitions", "TRIGGER_PARTITIONS", "of each new topic")
    add_setting(create, "--replication-factor", "TRIGGER_REPLICATION_FACTOR", "of each new topic")
    create.set_defaults(run=run_create)
    check = actions.add_parser("check", help="compare the topics with what is needed")
    add_kafka_options(check)
    check.set_defaults(run=run_check)


def run_create(args: argparse.Namespace) -> int:
    """0; 1 when topics that were there already are not as needed."""
    settings = declared_settings_from(args)
    from app.kafka.topics import create

    report = create(settings)
    for topic in report.created:
        print(f"created {topic}")
    for topic in report.existing:
        print(f"exists  {topic}")
    for finding in report.findings:
        print(f"differs {finding}", file=sys.stderr)
    return 1 if report.findings else 0


def run_check(args: argparse.Namespace) -> int:
    """0; 1 when something is not as needed."""
    settings = declared_settings_from(args)
    from app.kafka.topics import check

    findings = check(settings)
    for finding in findings:
        print(finding)
    if not findings:
        print("the topics are as needed")
    return 1 if findings else 0
