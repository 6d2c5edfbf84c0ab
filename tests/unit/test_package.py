"""The package in an environment with others."""

import shutil
import subprocess
import sys
from pathlib import Path

import app


def test_with_pytables_installed_the_import_says_what_to_do(tmp_path: Path) -> None:
    """Both have a package ``tables``: half of each would be there."""
    (tmp_path / "app").mkdir()
    shutil.copy(app.__file__, tmp_path / "app")
    (tmp_path / "tables-3.10.1.dist-info").mkdir()

    done = subprocess.run(
        [sys.executable, "-c", "import app"], cwd=tmp_path, env={}, capture_output=True, text=True
    )

    assert done.returncode == 1
    assert "PyTables (tables-3.10.1)" in done.stderr
    assert "environment of its own" in done.stderr
