"""What the build hook decides before it compiles. Compiling itself: deploy/compiled-tests."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from deploy import build_native
from deploy.build_native import CannotCompileError, lacking, modules, why_pure

ROOT = Path(__file__).parents[2]
NO_COMPILER = {"CC": "no-such-compiler"}
#: Some program that is there.
COMPILER = {"CC": f"'{sys.executable}' -c"}


@pytest.fixture
def _headers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Python.h is where Python says."""
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))


def test_every_pattern_is_of_some_use() -> None:
    """A module that goes, or is compiled after all, goes from the lists, too."""
    assert modules()
    assert all((ROOT / path).is_file() for path in modules())
    for pattern in (*build_native.COMPILED, *sum(build_native.LEFT_OUT.values(), ())):
        assert [*ROOT.glob(pattern)], pattern


@pytest.mark.usefixtures("_headers")
def test_it_compiles_where_it_can() -> None:
    """A compiler and Python.h are all it takes."""
    assert why_pure(COMPILER, is_editable=False) is None


@pytest.mark.parametrize(
    ("environ", "is_editable", "reason"),
    [
        ({**COMPILER, "TRIGGER_COMPILE": "0"}, False, "TRIGGER_COMPILE=0"),
        (NO_COMPILER, False, "no C compiler: no program no-such-compiler"),
        (COMPILER, True, "an editable install is compiled with TRIGGER_COMPILE=1 only"),
    ],
)
@pytest.mark.usefixtures("_headers")
def test_what_makes_a_pure_wheel(environ: dict[str, str], is_editable: bool, reason: str) -> None:
    """And the build goes on."""
    assert why_pure(environ, is_editable=is_editable) == reason


def test_without_python_h_it_says_which_package_has_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on a Debian with gcc and python3."""
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))

    assert lacking(COMPILER) == "no Python.h: Debian has it in python3-dev"


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({**NO_COMPILER, "TRIGGER_COMPILE": "1"}, "there is no C compiler"),
        ({"TRIGGER_COMPILE": "yes"}, "got 'yes', expected 0, 1 or nothing"),
    ],
)
def test_what_ends_the_build(environ: dict[str, str], problem: str) -> None:
    """Who asks for compiled modules gets no wheel without."""
    with pytest.raises(CannotCompileError, match=problem):
        why_pure(environ, is_editable=False)


def test_a_wheel_without_a_compiler_is_for_every_machine(tmp_path: Path) -> None:
    """Its name says so, it has no extension, and the log has the reason."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        env=NO_COMPILER,
        capture_output=True,
        text=True,
    )

    assert "built as pure Python: no C compiler: no program no-such-compiler" in done.stderr
    (wheel,) = tmp_path.glob("*-py3-none-any.whl")
    names = ZipFile(wheel).namelist()
    assert "app/core/engine.py" in names
    assert [name for name in names if name.endswith(".so")] == []
