"""buildah and podman with a store of their own, that goes with the run."""

import os
import resource
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from deploy.checks.support.place import Place, debian_programs, run
from deploy.checks.support.results import Broken, NotHere

_BUILDING: Final = {"buildah": "buildah", "mmdebstrap": "mmdebstrap"}
_RUNNING: Final = {
    "podman": "podman",
    "runc": "runc",
    "conmon": "conmon",
    "catatonit": "catatonit",  # what holds a pod open
}
_MOST_FILES: Final = 1024
#: Seen now and then when runc seals a copy of itself, gone at the next try.
_PASSING: Final = "sealing memfd copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Images, containers and volumes under ``folder``; nothing of the machine's own is touched."""

    folder: Path

    def buildah(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        """What it prints. Raises Broken."""
        return self._call("buildah", *arguments, cwd=cwd)

    def podman(self, *arguments: str | Path) -> str:
        """What it prints. Raises Broken."""
        return self._call("podman", *arguments)

    def podman_tried(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Whatever its exit code."""
        command = self._command("podman", *arguments)
        return run(command, env=self._env(), expected=range(256))

    def _call(self, program: str, *arguments: str | Path, cwd: Path | None = None) -> str:
        command = self._command(program, *arguments)
        try:
            return run(command, cwd=cwd, env=self._env()).stdout.strip()
        except Broken as exc:
            if _PASSING not in str(exc):
                raise
            return run(command, cwd=cwd, env=self._env()).stdout.strip()

    def _command(self, program: str, *arguments: str | Path) -> list[str | Path]:
        root, state = self.folder / "root", self.folder / "run"
        return [
            program,
            "--root",
            root,
            "--runroot",
            state,
            "--storage-driver",
            "overlay",
            *arguments,
        ]

    def _env(self) -> dict[str, str]:
        return {"CONTAINERS_CONF": str(self.folder / "containers.conf")}

    def close(self) -> None:
        """End every container and undo the mounts, so that the folder can go."""
        if shutil.which("podman"):
            self.podman_tried("pod", "rm", "--all", "--force", "--time", "0")
            self.podman_tried("rm", "--all", "--force", "--time", "0")
        run(self._command("buildah", "rm", "--all"), env=self._env(), expected=range(256))
        mounts = Path("/proc/mounts").read_text().splitlines()
        paths = [line.split()[1] for line in mounts]
        for path in sorted((p for p in paths if p.startswith(f"{self.folder}/")), reverse=True):
            run(["umount", "--lazy", path], expected=range(256))


@cache
def store(place: Place) -> Store:
    """The run's store. Raises NotHere where images cannot be built."""
    if os.name != "posix" or os.geteuid() != 0:
        raise NotHere("buildah needs root here")
    debian_programs(_BUILDING)
    made = Store(folder=place.folder("containers"))
    # Limits over this process's own cannot be set from inside a container of ours.
    files, tasks = (
        min(_MOST_FILES, limit if limit > 0 else _MOST_FILES)
        for limit in (
            resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            resource.getrlimit(resource.RLIMIT_NPROC)[0],
        )
    )
    (made.folder / "containers.conf").write_text(
        f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc={tasks}:{tasks}"]\n'
        '[engine]\ncgroup_manager = "cgroupfs"\nruntime = "runc"\nevents_logger = "file"\n'
    )
    place.ends.callback(made.close)
    try:
        made.buildah("from", "--name", "probe", "scratch")
        made.buildah("rm", "probe")
    except Broken as exc:
        raise NotHere(f"buildah cannot work here: {exc}") from exc
    return made


def runnable(place: Place, image: str) -> Store:
    """The store, once a container of ``image`` has run. Raises NotHere where none can."""
    found = store(place)
    debian_programs(_RUNNING)
    try:
        found.podman(
            "run", "--rm", "--no-healthcheck", "--network", "none", "--entrypoint", "true", image
        )
    except Broken as exc:
        raise NotHere(f"podman cannot run a container here: {exc}") from exc
    return found
