"""``triggers worker``: reads the input topics, decides, and sends."""

import argparse
import signal
import sys

from app.commands._options import Subparsers, add_kafka_options, add_setting, settings_from


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "worker",
        help="run a worker",
        description="Run a worker until SIGTERM or SIGINT. Settings come from TRIGGER_*"
        " variables; an option overrides its variable.",
    )
    add_kafka_options(parser)
    add_setting(parser, "--rules", "TRIGGER_RULES", "rules file")
    add_setting(parser, "--shadow", "TRIGGER_SHADOW", "second rules file: compared, never sent")
    add_setting(parser, "--clock", "TRIGGER_CLOCK", "wall, or records: rehearse by their time")
    add_setting(parser, "--data-dir", "TRIGGER_DATA_DIR", "folder of the local state")
    add_setting(parser, "--web-port", "TRIGGER_WEB_PORT", "port of health and metrics")
    add_setting(parser, "--instance-id", "TRIGGER_INSTANCE_ID", "stable name of this worker")
    add_setting(
        parser,
        "--guarantee",
        "TRIGGER_GUARANTEE",
        "exactly_once (the default where Kafka has transactions) or at_least_once",
    )
    add_setting(parser, "--grace", "TRIGGER_GRACE", "how long to wait for late events, as in 5s")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """The worker's own exit code."""
    settings = settings_from(args)
    from app.live.worker import run_worker
    from app.logs import configure_logging

    configure_logging(settings)
    # In a container this is process 1, to which a signal without a handler does nothing: it would
    # be killed for not ending while it still waits for Kafka.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    return run_worker(settings)
