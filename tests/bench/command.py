"""A benchmark as somebody runs it."""

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def run(*arguments: str, timeout_s: float) -> "subprocess.CompletedProcess[str]":
    """``python -m`` these; it has ended well."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        capture_output=True,
        text=True,
        cwd=_ROOT,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done
