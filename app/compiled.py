"""Whether the core runs compiled or as Python.

A wheel that was built where there is a C compiler holds modules twice (``deploy/build_native.py``):
compiled, which Python takes first, and as they are written. ``TRIGGER_PURE_PYTHON=1`` makes it take
what is written, for a debugger, a profiler, or to see whether compiling is what makes a difference.
``app/__init__.py`` asks it before any of these modules is imported.
"""

import os
import sys
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from typing import Final

PURE_PYTHON: Final = "TRIGGER_PURE_PYTHON"
_ROOT: Final = Path(__file__).parents[1]
_PACKAGES: Final = (_ROOT / "app", _ROOT / "tables")


def obey_environment() -> None:
    """With ``TRIGGER_PURE_PYTHON=1``, import modules of the packages from their ``.py`` only."""
    if os.environ.get(PURE_PYTHON) == "1":
        sys.path_hooks.insert(0, _source_only)
        for folder in _PACKAGES:
            sys.path_importer_cache.pop(str(folder), None)


def core_kind() -> str:
    """``compiled``, or ``pure Python``, by the module that drives the core."""
    spec = find_spec("app.core.engine")
    is_source = spec is not None and isinstance(spec.loader, SourceFileLoader)
    return "pure Python" if is_source else "compiled"


def _source_only(folder: str) -> FileFinder:
    """A finder as ``sys.path_hooks`` has them. Raises ImportError for folders of others."""
    if not any(Path(folder).is_relative_to(package) for package in _PACKAGES):
        raise ImportError(folder)
    return FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES))
