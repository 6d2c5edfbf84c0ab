"""Pinned requirements: every one with hashes, within the bounds of pyproject.toml, no addresses.

That the hashes are those of what is installed is seen elsewhere: the environment of deploy/check
and the image are installed from these files with ``--require-hashes``.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.checks.support.place import Place
from deploy.checks.support.results import Result, judged

#: pinned file -> the extras of pyproject.toml whose bounds it has to meet, None: none of them
_FILES: Final[dict[str, tuple[str, ...] | None]] = {
    "runtime.txt": ("registry", "otel"),
    "check.txt": ("deploy", "registry", "otel"),
    "build.txt": None,
    "checkov.txt": None,
    "helm.txt": None,
}
_ADDRESS: Final = re.compile(r"://|--(index|extra-index|find-links)|\s@\s")


def run(place: Place) -> Iterator[Result]:
    """One row a file."""
    folder = place.deploy / "requirements"
    project = tomllib.loads((place.root / "pyproject.toml").read_text())["project"]
    for name, extras in _FILES.items():
        path = folder / name
        pins, problems = _read(path)
        if extras is not None:
            wanted = list(project["dependencies"])
            for extra in extras:
                wanted += project["optional-dependencies"][extra]
            problems += _outside(wanted, pins, path)
        yield judged(f"deploy/requirements/{name}", problems, f"{len(pins)} packages pinned")
    listed = {path.name for path in folder.glob("*.txt")}
    yield judged(
        "every pinned file is known here",
        [f"{name}: not in deploy/checks/requirements.py" for name in sorted(listed - set(_FILES))],
        f"{len(_FILES)} files",
    )


def _read(path: Path) -> tuple[dict[str, set[str]], list[str]]:
    """Pinned versions by name (more than one where markers tell them apart), and problems."""
    pins: dict[str, set[str]] = {}
    problems = []
    lines = path.read_text().replace("\\\n", " ").splitlines()
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if _ADDRESS.search(line):
            problems.append(f"{path.name}: an address in {line[:60]!r}")
            continue
        text, *hashes = (part.strip() for part in line.split("--hash="))
        requirement = Requirement(text)
        versions = {each.version for each in requirement.specifier if each.operator == "=="}
        if len(versions) != 1:
            problems.append(f"{path.name}: {text}: not pinned with ==")
        if not hashes or any(not each.startswith("sha256:") for each in hashes):
            problems.append(f"{path.name}: {text}: no sha256 hash")
        pins.setdefault(canonicalize_name(requirement.name), set()).update(versions)
    return pins, problems


def _outside(wanted: list[str], pins: dict[str, set[str]], path: Path) -> Iterator[str]:
    """Bounds that the pins do not meet."""
    for text in wanted:
        requirement = Requirement(text)
        versions = pins.get(canonicalize_name(requirement.name), set())
        if not versions:
            yield f"{path.name}: {requirement.name} is missing: run deploy/requirements/lock --keep"
        for version in versions:
            if not requirement.specifier.contains(version, prereleases=True):
                yield f"{path.name}: {requirement.name}=={version}, expected {text}"
