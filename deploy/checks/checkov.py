"""checkov on the Dockerfile and on what the chart and the overlays make; every skip has its reason.

Offline, in an environment of its own: its pins clash with everybody's.
"""

import hashlib
import json
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.checks.support.cases import everything, good_values
from deploy.checks.support.place import DEPLOY, Place
from deploy.checks.support.place import run as call
from deploy.checks.support.render import OVERLAYS, overlay, template
from deploy.checks.support.results import Result, judged

_PINNED: Final = DEPLOY / "requirements" / "checkov.txt"

#: Checks that may fail -> why. One that does not fail any more is a failure here.
SKIPS: Final[dict[str, str]] = {
    "CKV_K8S_43": "whoever builds the image knows its digest: image.digest",
    "CKV_K8S_15": "tags here are versions, and :latest is refused: a pull at every start would only"
    " make restarts depend on the registry",
    "CKV_DOCKER_7": "the bases are arguments, whose defaults have version tags",
}


def run(place: Place) -> Iterator[Result]:
    """One row for the manifests, one for the Dockerfile, one for the skips."""
    program = _program(place)
    folder = place.folder("manifests")
    renderings = {"default": template(place, good_values({}))}
    renderings["everything"] = template(place, everything())
    renderings |= {name: overlay(place, name) for name in OVERLAYS}
    for name, manifests in renderings.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(manifests))
    scans = {
        f"manifests: {', '.join(renderings)}": _scan(program, "kubernetes", "--directory", folder),
        "Dockerfile": _scan(program, "dockerfile", "--file", place.deploy / "Dockerfile"),
    }
    failing: set[str] = set()
    for what, (passed, failures) in scans.items():
        failing |= {each["check_id"] for each in failures}
        problems = [
            f"{each['check_id']} {each['check_name']}: {each['resource']}"
            for each in failures
            if each["check_id"] not in SKIPS
        ]
        yield judged(what, problems, f"{passed} passed, {len(failures)} skipped with reason")
    stale = [f"{each}: nothing fails it any more" for each in SKIPS.keys() - failing]
    reasons = "\n".join(f"{check}: {reason}" for check, reason in SKIPS.items())
    yield judged("every skip is needed", stale, reasons)


def _scan(program: Path, framework: str, *what: str | Path) -> tuple[int, list[dict[str, Any]]]:
    """How many checks passed, and those that failed."""
    done = call(
        [program, *what, "--framework", framework, "--output", "json", "--skip-download"],
        expected=(0, 1),
        env={"LOG_LEVEL": "ERROR"},
    )
    report = json.loads(done.stdout)
    if not report["summary"]["passed"]:
        raise AssertionError(f"checkov looked at nothing: {report['summary']}")
    return report["summary"]["passed"], report["results"]["failed_checks"]


def _program(place: Place) -> Path:
    """checkov, installed with its hashes when it is not there yet."""
    digest = hashlib.sha256(_PINNED.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = place.cache / f"checkov-{digest}"
    done = folder / "complete"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        python = folder / "bin" / "python"
        call([python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", _PINNED])
        done.touch()
    return folder / "bin" / "checkov"
