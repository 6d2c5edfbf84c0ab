"""The row of a setting: its variable, its parser, its description."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

PREFIX: Final = "TRIGGER_"


class Variable(NamedTuple):
    """Annotates a field of ``Settings``."""

    #: without the prefix
    name: str
    #: raises ValueError with what it expected
    parse: Callable[[str], Any]
    #: one sentence for the reference
    sentence: str
    #: reads a secret from the file that ``NAME_FILE`` names
    parse_file: Callable[[str], Any] | None = None
