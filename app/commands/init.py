"""``triggers init DIR``: a folder with rules, a history and a compose file to begin with."""

import argparse
from pathlib import Path

from app.commands._options import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "init",
        help="write a folder to begin with",
        description="Write rules that editors complete, a history to rehearse on, and a compose"
        " file with Apache Kafka, the engine, Prometheus and Grafana with its dashboards.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new or an empty folder")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0; a folder that holds something raises ConfigError."""
    from app.starter.folder import write_starter

    for path in write_starter(args.folder):
        print(f"wrote {path}")
    print(f"What next: {args.folder / 'README.md'}")
    return 0
