"""Which release of the engine this is."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final


def _installed() -> str:
    try:
        return version("trigger-engine")
    except PackageNotFoundError:
        return "0+checkout"


#: Of the installed package; a checkout that is not installed says so.
ENGINE_VERSION: Final = _installed()
