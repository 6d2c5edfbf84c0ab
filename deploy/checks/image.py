"""The image: linted, built, small, and running without any right that it does not need.

Built over a base of Debian packages, as there is no image registry to ask.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.checks.support.containers import Store, runnable
from deploy.checks.support.image import Image, built
from deploy.checks.support.place import Place
from deploy.checks.support.place import run as call
from deploy.checks.support.results import Result, judged, ok

_MOST_BYTES: Final = 250_000_000
#: As the chart's security context does it.
_RESTRICTED: Final = (
    "--read-only",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--network",
    "none",
    "--no-healthcheck",
)
_LIST: Final = (
    "import json, importlib.metadata as m;"
    "print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"
)
_WRITE: Final = "open('/opt/triggers/x', 'w')"
_RULES: Final = "from app.settings.model import default_rules_path as p; print(p())"


def run(place: Place) -> Iterator[Result]:
    """Lint without rights; the rest where buildah and podman work."""
    hadolint = Path(sys.executable).with_name("hadolint")
    call([hadolint, "--failure-threshold", "style", place.deploy / "Dockerfile"])
    yield ok("hadolint", call([hadolint, "--version"]).stdout.split()[-1])
    image = built(place)
    own = image.size_bytes - image.base_bytes
    detail = f"{_mb(image.size_bytes)}, {_mb(own)} over its base; {image.build_s:.0f} s"
    yield ok("built by buildah, requirements by hash", detail)
    big = image.size_bytes > _MOST_BYTES
    problem = [f"{_mb(image.size_bytes)}, expected under {_mb(_MOST_BYTES)}"] if big else []
    yield judged("small", problem, f"{_mb(image.size_bytes)} of {_mb(_MOST_BYTES)}")
    yield judged("user, entry point and health check", list(_misconfigured(image)))
    machine = runnable(place, image.tag)
    yield judged(
        "holds what is pinned, and no more", list(_unexpected_packages(place, machine, image))
    )
    yield judged("runs restricted", list(_unrestricted(machine, image)), " ".join(_RESTRICTED))


def _misconfigured(image: Image) -> Iterator[str]:
    config = image.config
    if config["User"] != "10001:10001":
        yield f"user: {config['User']}, Kubernetes wants a number that is not 0"
    if config["Entrypoint"] != ["triggers"] or config["Cmd"] != ["worker"]:
        yield f"entry point: {config['Entrypoint']} {config['Cmd']}: through a shell?"
    if config.get("Healthcheck", {}).get("Test") != ["CMD", "triggers", "health"]:
        yield f"health check: {config.get('Healthcheck')}"
    for line in config["Env"]:
        if any(word in line.upper() for word in ("PASSWORD", "SECRET", "TOKEN")):
            yield f"environment: {line.partition('=')[0]}"


def _unexpected_packages(place: Place, machine: Store, image: Image) -> Iterator[str]:
    """Installed packages against the pins that hold for this Python."""
    found: dict[str, str] = {
        str(canonicalize_name(name)): version
        for name, version in json.loads(_python(machine, image, _LIST)).items()
    }
    found.pop("trigger-engine", None)
    pinned: dict[str, str] = {}
    for line in (place.deploy / "requirements" / "runtime.txt").read_text().splitlines():
        if "==" in line:
            requirement = Requirement(line.rstrip("\\ "))
            if requirement.marker is None or requirement.marker.evaluate():
                (pin,) = requirement.specifier
                pinned[canonicalize_name(requirement.name)] = pin.version
    for name in sorted({*found, *pinned}):
        if found.get(name) != pinned.get(name):
            yield f"{name}: installed {found.get(name)}, pinned {pinned.get(name)}"


def _unrestricted(machine: Store, image: Image) -> Iterator[str]:
    """The program works without rights, compiled, and rights are not there."""
    version = machine.podman("run", "--rm", *_RESTRICTED, image.tag, "--version")
    if not version.endswith("(compiled)"):
        yield f"got {version}, expected its core to be compiled"
    rules = _python(machine, image, _RULES)
    machine.podman("run", "--rm", *_RESTRICTED, image.tag, "validate", rules)
    wrote = machine.podman_tried(
        "run", "--rm", *_RESTRICTED, "--entrypoint", "python", image.tag, "-c", _WRITE
    )
    if wrote.returncode == 0:
        yield "the program can be changed from inside"
    who = machine.podman("run", "--rm", *_RESTRICTED, "--entrypoint", "id", image.tag, "-u")
    if who != "10001":
        yield f"runs as user {who}"


def _python(machine: Store, image: Image, program: str) -> str:
    return machine.podman(
        "run", "--rm", *_RESTRICTED, "--entrypoint", "python", image.tag, "-c", program
    )


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
