"""Which form of a module is imported where there are two: compiled, or as it is written."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_IMPORT = "import tables.twice; print(tables.twice.__loader__.__class__.__name__)"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Packages with a module that is there as Python, and as an extension that cannot be loaded."""
    for name in ("app/__init__.py", "app/compiled.py", "tables/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "tables" / "twice.py").touch()
    (tmp_path / "tables" / f"twice{sysconfig.get_config_var('EXT_SUFFIX')}").touch()
    return tmp_path


def python(folder: Path, program: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """A process that finds the packages in ``folder``."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "TRIGGER_PURE_PYTHON": "", **environ},
        capture_output=True,
        text=True,
    )


def test_a_compiled_module_is_taken_before_its_source(checkout: Path) -> None:
    """Here it fails, as the file is empty."""
    done = python(checkout, _IMPORT)

    assert done.returncode == 1
    assert "ImportError" in done.stderr


def test_with_pure_python_the_source_is_taken(checkout: Path) -> None:
    """Whichever package is imported first; and extensions of others are still found."""
    done = python(checkout, f"{_IMPORT}; import msgspec", TRIGGER_PURE_PYTHON="1")

    assert done.stderr == ""
    assert done.stdout == "SourceFileLoader\n"


def test_the_kind_of_the_core_is_that_of_what_is_imported() -> None:
    """Of a checkout that was compiled in place, too."""
    program = "import app.core.engine as e, app.compiled as c; print(c.core_kind(), e.__file__)"
    done = python(ROOT, program, TRIGGER_PURE_PYTHON="1")

    assert done.stdout == f"pure Python {ROOT / 'app' / 'core' / 'engine.py'}\n"
