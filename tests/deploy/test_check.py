"""deploy/check itself: how a check's end is told, and what the pinned requirements must be like."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from deploy.checks import __main__ as runner
from deploy.checks import requirements
from deploy.checks.support.place import Place, debian_programs
from deploy.checks.support.place import run as call
from deploy.checks.support.results import Broken, NotHere, Result, Verdict, failed, judged, ok


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A checkout of nothing."""
    return Place(root=tmp_path, scratch=tmp_path, cache=tmp_path)


def check_that(monkeypatch: pytest.MonkeyPatch, *steps: Result | Exception) -> None:
    """Every check yields and raises these."""

    def run(_: Place) -> Iterator[Result]:
        for step in steps:
            if isinstance(step, Exception):
                raise step
            yield step

    module = ModuleType("some", "What it looks at.\n\nMore.")
    module.__dict__["run"] = run
    monkeypatch.setattr(runner, "_module", lambda _: module)


@pytest.mark.parametrize(
    ("end", "verdict", "code"),
    [
        (NotHere("no podman"), Verdict.SKIPPED, 0),
        (Broken("it is wrong"), Verdict.FAILED, 1),
        (ZeroDivisionError("a bug"), Verdict.FAILED, 1),
    ],
)
def test_what_a_check_raises_is_a_row(
    end: Exception,
    verdict: Verdict,
    code: int,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Added to the rows that it had made; only failures fail the run, and skips are shown."""
    check_that(monkeypatch, ok("first"), end)
    rows = list(runner._rows("some", place))
    assert [row.verdict for row in rows] == [Verdict.OK, verdict]
    assert rows[1].what == "What it looks at"
    assert str(end) in rows[1].detail
    assert runner._report(["some"], place) == code
    shown = capsys.readouterr().out
    assert f"{verdict}: What it looks at: " in shown
    assert shown.splitlines()[-1].startswith("1 passed, ")


def test_the_first_of_many_problems_are_shown() -> None:
    """A row stays readable, and says how many it does not show."""
    assert judged("x", []).verdict is Verdict.OK
    found = judged("x", [f"problem {number}" for number in range(20)])
    assert found.verdict is Verdict.FAILED
    assert "problem 0" in found.detail
    assert "and 12 more" in found.detail
    assert failed("x", "y").detail == "y"


def test_a_program_that_fails_says_why() -> None:
    """Exit code and the end of what it printed; one that hangs does not hang the check."""
    with pytest.raises(Broken, match="exit code 3\nno good"):
        call(["python3", "-c", "import sys; print('no good'); sys.exit(3)"])
    with pytest.raises(Broken, match=r"no end after 0\.2 s"):
        call(["python3", "-c", "import time; time.sleep(600)"], timeout_s=0.2)


def test_a_program_that_cannot_be_installed_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root nothing is installed: the check is skipped, with the package's name."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    debian_programs({"python3": "python3"})
    with pytest.raises(NotHere, match="no-such-package not installed"):
        debian_programs({"no-such-program": "no-such-package"})


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a==1 \\\n    --hash=sha256:0f", None),
        ("a==1", "no sha256 hash"),
        ("a>=1 \\\n    --hash=sha256:0f", "not pinned"),
        ("a==1 --hash=md5:0f", "no sha256 hash"),
        ("--index-url https://packages.example\na==1 --hash=sha256:0f", "an address"),
    ],
)
def test_each_requirement_is_pinned(tmp_path: Path, line: str, problem: str | None) -> None:
    """By version and hash, and without saying where it comes from."""
    path = tmp_path / "some.txt"
    path.write_text(f"# a comment\n{line}\n")
    pins, problems = requirements._read(path)
    if problem is None:
        assert (pins, problems) == ({"a": {"1"}}, [])
    else:
        assert any(problem in each for each in problems)


def test_pins_meet_the_bounds(tmp_path: Path) -> None:
    """A pin outside of pyproject.toml's bounds, or one that is missing, is named."""
    pins = {"a": {"1"}, "b": {"2.5"}}
    wanted = ["a>=2", "b[x]>=2,<3", "c"]
    problems = list(requirements._outside(wanted, pins, tmp_path / "some.txt"))
    assert problems == [
        "some.txt: a==1, expected a>=2",
        "some.txt: c is missing: run deploy/requirements/lock --keep",
    ]
