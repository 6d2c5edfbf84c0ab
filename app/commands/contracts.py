"""``triggers contracts``: what is on each topic, as files for the teams on the other side."""

import argparse
from pathlib import Path

from app.commands._options import Subparsers, add_kafka_options, add_setting, declared_settings_from


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "contracts",
        help="write the AsyncAPI document and the JSON Schemas of all topics",
        description="Write DIR/asyncapi/asyncapi.json and DIR/schemas/TOPIC/NAME.json, for the"
        " names of topics and the rules in use. Needs no broker.",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    add_setting(parser, "--rules", "TRIGGER_RULES", "the rules: channels, and keys that are needed")
    add_kafka_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0, and which files changed."""
    settings = declared_settings_from(args)
    from app.contracts.files import write_contracts
    from app.rules_file.load import load_rules

    changed = write_contracts(settings, load_rules(settings.rules_path), args.out)
    for path in changed:
        print(args.out / path)
    print(f"{len(changed)} files changed")
    return 0
