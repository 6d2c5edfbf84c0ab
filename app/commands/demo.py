"""``triggers demo``: everything at once, on this machine, for a minute."""

import argparse
import sys

from app.commands._options import Subparsers

_FAILED = 1


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "demo",
        help="watch a shop and a travel agency for a minute",
        description="Start an embedded Kafka broker and a worker, make up customers and what they"
        " do, and show what the engine decides; days are shortened to seconds. It leaves nothing"
        " behind.",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=75.0,
        metavar="S",
        help="how long things happen, 10 to 3600 (default 75); start and stop take some more",
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="who does what (default 1)"
    )
    parser.add_argument(
        "--kafka",
        metavar="HOST:PORT",
        help="a cluster of yours in place of the embedded broker; how to log in is taken from"
        " TRIGGER_SECURITY_PROTOCOL, TRIGGER_SASL_* and TRIGGER_SSL_*; topics get names of their"
        " own and are deleted at the end",
    )
    parser.add_argument(
        "--plain", action="store_true", help="lines instead of a table, for a log; without colours"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0; 1 when the demo could not be run to its end."""
    from rich.console import Console

    from app.core.errors import ConfigError, InfrastructureError
    from app.demo.run import run_demo

    try:
        console = Console(no_color=True, force_terminal=False) if args.plain else Console()
        run_demo(
            console, seconds=args.seconds, seed=args.seed, kafka=args.kafka, is_plain=args.plain
        )
    except (ConfigError, InfrastructureError) as exc:
        print(f"triggers demo: {exc}", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        print("triggers demo: stopped", file=sys.stderr)
        raise
    return 0


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 10 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"expected 10 to 3600 seconds, got {text!r}")
    return seconds
