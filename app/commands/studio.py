"""``triggers studio DIR``: a local web page over a backtest's folder."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.commands._options import Subparsers

if TYPE_CHECKING:
    from app.studio.folder import StudioFolder

DEFAULT_PORT: Final = 6070
_MAX_PORT: Final = 65535


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "studio",
        help="a local web page over a backtest's folder",
        description="Sends by day and hour, by trigger and reason; a customer by id, name or"
        " address, with the timeline, each decision gate by gate, and what the channel sender"
        " gets. Reads the folder, changes nothing, and is served to this machine alone.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="what triggers backtest wrote")
    parser.add_argument(
        "--plan",
        type=Path,
        metavar="FILE",
        help="what triggers plan --format json printed (default: plan.json in DIR, if there)",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=DEFAULT_PORT,
        metavar="N",
        help=f"where it listens on 127.0.0.1 (default {DEFAULT_PORT}; 0: a free one)",
    )
    parser.add_argument(
        "--show-personal",
        action="store_true",
        help="name, addresses, birthday, attributes, and the tokens of messages too",
    )
    parser.set_defaults(run=run)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _MAX_PORT):
        raise argparse.ArgumentTypeError(f"expected a port from 0 to {_MAX_PORT}, got {text!r}")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted; a folder that cannot be shown raises ConfigError before."""
    from app.studio.folder import StudioFolder

    folder = StudioFolder(args.folder, args.plan)
    folder.load()
    asyncio.run(_serve(folder, args.port, show_personal=args.show_personal))
    return 0


async def _serve(folder: "StudioFolder", port: int, *, show_personal: bool) -> None:
    from app.studio.server import StudioServer

    server = StudioServer(folder, show_personal=show_personal)
    bound = await server.start(port)
    try:
        print(
            f"Studio over {folder.path}: http://127.0.0.1:{bound}/ (end it with Ctrl-C)", flush=True
        )
        await asyncio.Event().wait()
    finally:
        await server.stop()
