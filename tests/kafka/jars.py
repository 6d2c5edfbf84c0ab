"""Apache Kafka's jars: resolved with Maven once, verified, then kept in the user's cache folder.

``pom.xml`` pins the versions and ``jars.sha256`` what each file must be. After a change of the
pom: run its ``mvn dependency:copy-dependencies -DoutputDirectory=DIR`` and write what
``sha256sum *`` says inside DIR into ``jars.sha256``.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
_SUMS: Final = "jars.sha256"
_OLDEST_JAVA: Final = 17
_RESOLVE_TIMEOUT_S: Final = 300


class KafkaMissing(Exception):
    """Apache Kafka cannot be had on this machine; the text says what is missing."""


class WrongJars(Exception):
    """What Maven brought is not what ``jars.sha256`` lists: nothing of it is run."""


@cache
def why_missing() -> str | None:
    """Why there is no Apache Kafka here; None when there is. Resolves it the first time.

    Raises WrongJars when what came is not what is expected: that is no reason to go on without.
    """
    try:
        classpath()
        java()
    except KafkaMissing as exc:
        return str(exc)
    return None


@cache
def java() -> str:
    """The path of a Java that Kafka runs on; KafkaMissing without one."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(f"{home}/bin/java" if home else "java")
    if found is None:
        raise KafkaMissing(f"no Java: install a runtime, version {_OLDEST_JAVA} or newer")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', said.stderr)
    if version is None or int(version[1]) < _OLDEST_JAVA:
        shown = version[1] if version else said.stderr.strip()
        raise KafkaMissing(f"{found} is version {shown}, {_OLDEST_JAVA} or newer is needed")
    return found


@cache
def classpath() -> str:
    """For ``java -cp``. KafkaMissing when neither the cache nor Maven has the jars."""
    return f"{resolved('kafka', _HERE)}/*"


def resolved(name: str, project: Path, *goals: str) -> Path:
    """The folder with the jars of a Maven project that has ``pom.xml`` and ``jars.sha256``.

    With ``goals``, such as compile, what these make is in ``target`` beside it: they are run once
    for a state of the project. KafkaMissing when neither the cache nor Maven has it all.
    """
    known = hashlib.sha256((project / _SUMS).read_bytes())
    if goals:
        for source in sorted([project / "pom.xml", *project.rglob("src/**/*.java")]):
            known.update(source.read_bytes())
    folder = _cache_folder() / f"{name}-{known.hexdigest()[:16]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                _resolve(folder, project, goals)
    jars = folder / "jars" if goals else folder
    _verify(jars, project / _SUMS)
    return jars


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "trigger-engine-tests"


def _resolve(folder: Path, project: Path, goals: Sequence[str]) -> None:
    """Let Maven copy all jars into ``folder``, which comes to be whole and verified or not."""
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaMissing("no Maven: install it, Kafka's jars are resolved with it once")
    with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
        work = Path(unfinished) / "work"
        shutil.copytree(project, work, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        jars = work / "jars"
        command = [
            *(maven, "--quiet", "--batch-mode", "--strict-checksums", *goals),
            *("dependency:copy-dependencies", f"-DoutputDirectory={jars}"),
        ]
        try:
            run = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=_RESOLVE_TIMEOUT_S,
                check=False,
                cwd=work,
            )
        except subprocess.TimeoutExpired:
            raise KafkaMissing(f"Maven did not end within {_RESOLVE_TIMEOUT_S} s") from None
        if run.returncode != 0:
            raise KafkaMissing(f"Maven could not resolve it: {run.stdout.strip()[-500:]}")
        _verify(jars, project / _SUMS)
        (work if goals else jars).rename(folder)


def _verify(folder: Path, sums: Path) -> None:
    """Raise WrongJars unless ``folder`` holds the listed files and no other."""
    expected = {}
    for line in sums.read_text().splitlines():
        checksum, name = line.split()
        expected[name] = checksum
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    wrong = sorted(name for name in expected | found if expected.get(name) != found.get(name))
    if wrong:
        raise WrongJars(
            f"{folder}: missing, not listed or with another checksum than in {sums}:"
            f" {', '.join(wrong)}; remove the folder, and find out how it came to be"
        )
