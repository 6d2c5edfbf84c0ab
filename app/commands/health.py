"""``triggers health``: asks this machine's worker how it is; what a container's check calls."""

import argparse
import sys
from http.client import HTTPConnection, HTTPException
from typing import Final

from app.commands._options import Subparsers, add_setting, settings_from

_TIMEOUT_S: Final = 4.0
#: Addresses that mean all of this machine's, and one of them that can be asked.
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # not listened on here


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "health",
        help="ask the worker on this machine how it is",
        description="Exits 0 when the worker answers 200, 1 when it does not or is not there.",
    )
    parser.add_argument(
        "question",
        nargs="?",
        default="live",
        choices=("live", "startup", "ready"),
        help="live (default): it runs; startup: it is in its group; ready: it decides",
    )
    add_setting(parser, "--web-port", "TRIGGER_WEB_PORT", "port of health and metrics")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 or 1."""
    settings = settings_from(args)
    host = _ANY.get(settings.web_host, settings.web_host)
    connection = HTTPConnection(host, settings.web_port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", f"/{args.question}")
        answer = connection.getresponse()
        text = answer.read(200).decode(errors="replace").strip()
    except (OSError, HTTPException) as exc:
        print(f"no worker at {host}:{settings.web_port}: {exc}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    print(text)
    return 0 if answer.status == 200 else 1
