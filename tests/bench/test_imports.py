"""``compare`` runs in an environment of its own, which has what ``.[bench]`` names and no more."""

import subprocess
import sys


def test_benchmarks_begin_without_what_only_tests_have() -> None:
    """pytest and hypothesis are not there."""
    without = "import sys; sys.modules.update(pytest=None, hypothesis=None)"
    code = f"{without}; import tests.bench.__main__, tests.bench.compare.command"
    subprocess.run([sys.executable, "-c", code], check=True)
