"""Options that several commands share, and the settings that they override."""

import argparse
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from app.core.errors import ConfigError, EventError
from app.core.events import parse_instant

if TYPE_CHECKING:
    from app.settings.model import Settings

#: What argparse's ``add_subparsers`` returns; it has no public name.
Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

#: Options that stand for a variable carry this in front of its name.
_VARIABLE: Final = "variable:"
_EPOCH_MS: Final = re.compile(r"-?[0-9]{1,20}")
_DIGITS: Final = re.compile(r"[0-9]{1,18}")
#: Of a wrong value so much is repeated.
_SHOWN_CHARS: Final = 80


def add_setting(parser: argparse.ArgumentParser, option: str, variable: str, help: str) -> None:
    """An option that overrides the TRIGGER_* ``variable``."""
    parser.add_argument(
        option,
        dest=_VARIABLE + variable,
        metavar=option.removeprefix("--").upper().replace("-", "_"),
        help=f"{help} ({variable})",
    )


def add_kafka_options(parser: argparse.ArgumentParser) -> None:
    """Which cluster, which topics, which engine on it."""
    add_setting(parser, "--bootstrap", "TRIGGER_BOOTSTRAP_SERVERS", "host:port of Kafka")
    add_setting(parser, "--prefix", "TRIGGER_TOPIC_PREFIX", "goes before every topic's name")
    add_setting(parser, "--app-id", "TRIGGER_APP_ID", "consumer group and internal topics")


def settings_from(args: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> "Settings":
    """The settings of the environment with the options over them. Raises ConfigError."""
    from app.settings.load import load_settings

    given = {
        name.removeprefix(_VARIABLE): value
        for name, value in vars(args).items()
        if name.startswith(_VARIABLE) and value is not None
    }
    return load_settings({**environ, **given})


def declared_settings_from(args: argparse.Namespace) -> "Settings":
    """The same with the input topics that the rules file declares. Raises ConfigError."""
    from app.rules_file.load import load_rules

    settings = settings_from(args)
    return settings.with_declared_inputs(load_rules(settings.rules_path).taxonomy.topics)


def parse_instant_option(text: str, option: str) -> int:
    """Epoch ms from RFC 3339 text or epoch milliseconds. Raises ConfigError naming the option."""
    try:
        return parse_instant(int(text) if _EPOCH_MS.fullmatch(text) else text, option)
    except EventError:
        raise ConfigError(
            f"{option}: expected a time with an offset, as 2026-03-01T00:00:00Z, or epoch"
            f" milliseconds, in the years 1 to 8999, got {text[:_SHOWN_CHARS]!r}"
        ) from None


def whole_number(text: str, least: int = 0) -> int:
    """The number in an option's text. Raises ArgumentTypeError for one below ``least`` too."""
    if not _DIGITS.fullmatch(text) or int(text) < least:
        raise argparse.ArgumentTypeError(
            f"expected a number from {least} on, got {text[:_SHOWN_CHARS]!r}"
        )
    return int(text)


def positive_number(text: str) -> int:
    """The same from 1 on."""
    return whole_number(text, 1)
