"""Input that reports and models share: files, rules, and the records of a backtest."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.errors import ConfigError

if TYPE_CHECKING:
    from app.core.customer.scoring_model import Model
    from app.core.rules.model import Rules


def add_files(
    parser: argparse.ArgumentParser, option: str, help: str, *, required: bool = False
) -> None:
    """An option that takes one or more files; an empty list when it is left out."""
    parser.add_argument(
        option,
        nargs="+",
        type=Path,
        metavar="FILE",
        default=[],
        required=required,
        help=help,
    )


def add_memory(parser: argparse.ArgumentParser) -> None:
    """How much memory the database of a report may take."""
    parser.add_argument(
        "--memory",
        default="1GB",
        metavar="SIZE",
        help="beyond this a report works on disk, in the temporary folder (default 1GB)",
    )


def named_or_saved_rules(rules: Path | None, decisions: Path) -> "Rules | None":
    """The rules that were named, else those that a backtest saved with its decisions."""
    from app.backtest.saved_run import RUN, SavedRun
    from app.rules_file.load import load_rules

    if rules is not None:
        return load_rules(rules)
    return SavedRun(decisions.parent).rules if (decisions.parent / RUN).is_file() else None


def model_at(path: Path) -> "Model":
    """A model file. Raises ConfigError."""
    from app.rules_file.load import read_model

    try:
        return read_model(path)
    except OSError as exc:
        raise ConfigError(f"{path}: the model cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise ConfigError(f"{path}: not a model: {exc}") from exc
