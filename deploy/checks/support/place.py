"""Where a check works, and where the programs it needs come from."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.checks.support.results import Broken, NotHere

ROOT: Final = Path(__file__).resolve().parents[3]
DEPLOY: Final = ROOT / "deploy"
_SHOWN_CHARS: Final = 1_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The folders of one run."""

    #: the checkout
    root: Path
    #: goes when the run ends
    scratch: Path
    #: stays: installed tools
    cache: Path
    #: what has to be ended when the run does, before ``scratch`` goes
    ends: ExitStack = field(default_factory=ExitStack, compare=False)

    @property
    def deploy(self) -> Path:
        """The folder of what is checked."""
        return self.root / "deploy"

    def folder(self, name: str) -> Path:
        """A new folder under ``scratch``."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch))


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 600,
    expected: Sequence[int] = (0,),
) -> subprocess.CompletedProcess[str]:
    """Run a program and keep what it prints. ``env`` is added to this process's.

    Raises Broken with the end of its output when it exits otherwise than ``expected`` or takes
    longer than ``timeout_s``.
    """
    shown = " ".join(str(part) for part in command)
    shown = shown if len(shown) < 160 else f"{shown[:160]}..."
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as exc:
        raise Broken(f"{shown}: no end after {timeout_s:g} s") from exc
    if done.returncode not in expected:
        output = (done.stdout + done.stderr).strip()[-_SHOWN_CHARS:]
        raise Broken(f"{shown}: exit code {done.returncode}\n{output}")
    return done


def debian_programs(programs: Mapping[str, str]) -> None:
    """See to it that each program (name -> Debian package) is there.

    Installs what is missing where that is possible: root, on Debian. Raises NotHere otherwise.
    """
    missing = {package for program, package in programs.items() if shutil.which(program) is None}
    if not missing:
        return
    names = " ".join(sorted(missing))
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NotHere(f"{names} not installed, and no root on Debian to install it")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run(["apt-get", "update", "-qq"], env=quiet)
        run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *sorted(missing)],
            env=quiet,
        )
    except Broken as exc:
        raise NotHere(f"{names} cannot be installed: {exc}") from exc
