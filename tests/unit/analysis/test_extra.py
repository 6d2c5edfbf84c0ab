"""The analysis packages stay out of the worker, and without them the commands say what to do."""

import subprocess
import sys

import pytest

ALL = ["backtest", "studio"]
PACKAGES = ("duckdb", "numpy", "scipy", "sklearn")
WITHOUT = f"import sys; sys.modules.update(dict.fromkeys({PACKAGES!r})); "


def python(code: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=600
    )


def test_worker_and_command_line_import_none_of_it() -> None:
    """Nor does any command before it runs."""
    loaded = (
        "import sys, app.cli, app.live.worker, app.live.faust_app; from app.backtest import output;"
        " app.cli._parser();"
        f" print([name for name in (*{PACKAGES!r}, 'app.analysis') if name in sys.modules])"
    )
    done = python(loaded)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_command_imports_no_other() -> None:
    """The help of all commands needs them all."""
    loaded = "[name for name in ('backtest', 'studio') if f'app.commands.{name}' in sys.modules]"
    for arguments, names in ((["backtest", "--help"], ["backtest"]), (["--help"], ALL)):
        code = f"import sys; from app.cli import main; main({arguments!r}); print({loaded})"
        assert python(code).stdout.splitlines()[-1] == str(names)


@pytest.mark.parametrize(
    "command",
    [
        ["kpis", "--decisions", "d", "--outcomes", "o"],
        ["experiments", "--rules", "r", "--decisions", "d", "--outcomes", "o"],
        ["segments", "fit", "--events", "e", "--out", "m"],
    ],
)
def test_without_the_extra_it_says_what_to_install(command: list[str]) -> None:
    """One line and exit code 1."""
    done = python(f"{WITHOUT}from app.cli import main; sys.exit(main({command!r}))")
    assert done.returncode == 2, done.stderr
    assert "pip install 'trigger-engine[analysis]'" in done.stderr
    assert "duckdb, numpy, scipy, scikit-learn" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_other_commands_run_without_it() -> None:
    """``validate`` runs without the analysis extra."""
    run = "from app.cli import main; sys.exit(main(['validate', 'deploy/rules.yaml']))"
    assert python(WITHOUT + run).returncode == 0
