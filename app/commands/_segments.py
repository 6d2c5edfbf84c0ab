"""Which segments a report by segment goes by, where the decisions do not say them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands._files import model_at
from app.core.errors import ConfigError

if TYPE_CHECKING:
    from app.analysis.data.customers import Customers, SegmentsOf
    from app.core.rules.model import Rules


def add_segments(parser: argparse.ArgumentParser) -> None:
    """The options of a report by segment."""
    parser.add_argument(
        "--customers",
        type=Path,
        metavar="FILE",
        help="records for --by segment where the decisions do not say it (default:"
        " customers.jsonl in the folder of the decisions)",
    )
    parser.add_argument(
        "--model", type=Path, help="segments are its clusters, not those of the rules"
    )


def customers_for_segments(args: argparse.Namespace, rules: "Rules | None") -> "Customers | None":
    """The segments of customers by the records that were named, or else are in the folder of the
    decisions; None: the decisions have to say them. Raises ConfigError when that cannot be known.
    """
    from app.analysis.data.customers import Customers
    from app.backtest.saved_run import CUSTOMERS, SavedRun

    path = args.customers or args.decisions[0].parent / CUSTOMERS
    is_chosen = args.customers is not None or args.model is not None
    is_usable = rules is not None and (args.rules is not None or "model" not in rules.document)
    if not is_chosen and not (path.is_file() and is_usable):
        return None
    if not path.is_file():
        raise ConfigError(
            f"{path}: not there; --by segment needs the records that triggers backtest writes next"
            " to its decisions: name them with --customers"
        )
    return Customers(
        path=path,
        now_ms=SavedRun(path.parent).now_ms,
        segments_of=_segments_of(args.model, args.rules, rules),
        is_chosen=is_chosen,
    )


def _segments_of(
    model: Path | None, rules_path: Path | None, rules: "Rules | None"
) -> "SegmentsOf":
    """The model's clusters, else the rules' segments, which may ask the rules' own model."""
    from app.analysis.data.customers import model_clusters

    if model is not None:
        named = model_at(model)
        if named.clusters is None:
            raise ConfigError(f"{model}: expected a model with clusters")
        return model_clusters(named)
    if rules is None or rules.segments_of is None:
        raise ConfigError(
            "--by segment: expected a --model with clusters, or rules with segments (--rules, or"
            " run.json in the folder of the decisions)"
        )
    if "model" in rules.document and rules_path is None:
        raise ConfigError("--by segment: the rules name a model: give the rules file with --rules")
    return rules.segments_of
