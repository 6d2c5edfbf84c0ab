"""``triggers segments fit``: clusters and an early high-value model for the rules to ask."""

import argparse
from pathlib import Path
from typing import Final

from app.commands._options import Subparsers
from app.commands._reports import add_format, print_as
from app.core.errors import ConfigError

FAILED: Final = 1


def add_parser(subparsers: Subparsers) -> None:
    """Declare the commands."""
    parser = subparsers.add_parser("segments", help="fit customer clusters and early high value")
    actions = parser.add_subparsers(dest="action", required=True, metavar="fit")
    fit = actions.add_parser(
        "fit",
        help="make the file that rules name as their model",
        description="Fit K-means clusters to all who have bought, and a logistic regression that"
        " predicts early which customers will be of high value. The latter needs a history of 210"
        " days or more, or a shorter --horizon.",
        epilog="Exit codes: 0 done, 1 nothing could be fitted, 2 bad usage or bad input.",
    )
    source = fit.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--events", nargs="+", type=Path, metavar="FILE", help="a history, as for backtest"
    )
    source.add_argument(
        "--decisions",
        type=Path,
        metavar="FILE",
        help="of a backtest: the customers saved with them are clustered",
    )
    fit.add_argument("--out", type=Path, required=True, metavar="MODEL", help="where it is written")
    fit.add_argument(
        "--horizon",
        default="180d",
        help="high value is what is spent in this time after the first 30 days (default 180d)",
    )
    fit.add_argument(
        "--with",
        dest="predictions",
        type=lambda text: [name.strip() for name in text.split(",")],
        default=[],
        metavar="NAMES",
        help="some of churn,best_channel,next_product: predictions, each kept only when it beats"
        " a naive one on customers that were kept from the fit (needs --events)",
    )
    add_format(fit)
    fit.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the model and print what it is; 1 when there is not enough to fit anything."""
    from app.analysis.extra import require

    require("triggers segments")

    from app.analysis.segments.fit import fit_events, fit_saved, write_model
    from app.analysis.segments.page import fit_page
    from app.analysis.segments.written import fit_json, print_fit
    from app.core.customer.scoring_model import Model

    horizon_days = _days(args.horizon)
    if args.events is not None:
        found = fit_events(args.events, horizon_days=horizon_days, predictions=args.predictions)
    elif args.predictions:
        raise ConfigError("--with: needs what customers did: give --events")
    else:
        found = fit_saved(args.decisions)
    is_empty = found.model == Model(version=1)
    if not is_empty:
        write_model(found.model, args.out)
    print_as(
        args.format,
        json=lambda: fit_json(found),
        html=lambda: fit_page(found),
        table=lambda console: print_fit(found, console),
    )
    return FAILED if is_empty else 0


def _days(text: str) -> int:
    from app.core.time.durations import parse_duration_ms
    from app.core.time.instants import DAY_MS

    try:
        days, rest = divmod(parse_duration_ms(text), DAY_MS)
    except ValueError as exc:
        raise ConfigError(f"--horizon: {exc}") from None
    if rest or days < 1:
        raise ConfigError(f"--horizon: expected whole days, got {text!r}")
    return days
