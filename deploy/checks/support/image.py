"""The image, built over a Debian with Python that is made here: no image registry is asked."""

import hashlib
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from deploy.checks.support.containers import Store, store
from deploy.checks.support.place import Place, run
from deploy.checks.support.results import NotHere

TAG: Final = "localhost/trigger-engine:check"
_BASE: Final = "localhost/python-base:check"
_BUILD_BASE: Final = "localhost/python-build:check"
_PACKAGES: Final = ("usr-is-merged", "python3", "ca-certificates", "libstdc++6")
#: What the Python images of Docker's library have too, in short: the slim one, and the full one.
_BUILD_PACKAGES: Final = (*_PACKAGES, "python3-venv", "python3-dev", "gcc", "libc6-dev", "binutils")
_BASES: Final = {_BASE: _PACKAGES, _BUILD_BASE: _BUILD_PACKAGES}
_EXCLUDED: Final = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
_KEPT_S: Final = 7 * 86_400
_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: The machine's own certificate authorities: what is between it and PyPI may need them.
_AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A built image."""

    store: Store
    tag: str
    size_bytes: int
    #: of the base alone
    base_bytes: int
    build_s: float
    #: user, entry point, environment and so on, as Docker names them
    config: dict[str, Any]


@cache
def built(place: Place) -> Image:
    """Build deploy/Dockerfile, once a run. Raises NotHere where that cannot be, Broken."""
    found = store(place)
    with ThreadPoolExecutor() as pool:
        tars = pool.map(partial(_base, place), _BASES.values())
    for name, tar in zip(_BASES, tars, strict=True):
        container = found.buildah("from", "scratch")
        found.buildah("add", "--quiet", container, tar, "/")
        found.buildah("config", "--env", _PATH, container)
        found.buildah("commit", "--quiet", "--rm", container, name)
    trust = ["--volume", f"{_AUTHORITIES}:{_AUTHORITIES}:ro"] if _AUTHORITIES.exists() else []
    started = time.monotonic()
    found.buildah(
        "build",
        "--isolation",
        "chroot",
        "--format",
        "docker",
        "--layers=false",
        *trust,
        "--build-arg",
        f"BUILD_IMAGE={_BUILD_BASE}",
        "--build-arg",
        f"PYTHON_IMAGE={_BASE}",
        "--file",
        place.deploy / "Dockerfile",
        "--tag",
        TAG,
        place.root,
    )
    return Image(
        store=found,
        tag=TAG,
        size_bytes=_size(found, TAG),
        base_bytes=_size(found, _BASE),
        build_s=time.monotonic() - started,
        config=json.loads(found.buildah("inspect", "--type", "image", TAG))["Docker"]["config"],
    )


def _size(found: Store, tag: str) -> int:
    """Bytes of the image's layers, not compressed."""
    manifest = json.loads(json.loads(found.buildah("inspect", "--type", "image", tag))["Manifest"])
    return sum(layer["size"] for layer in manifest["layers"])


def _base(place: Place, packages: Sequence[str]) -> Path:
    """A tar of the machine's own Debian release with these packages; kept for a week."""
    release = _os_release()
    if release.get("ID") != "debian":
        raise NotHere(f"the base is made from Debian's packages, this is {release.get('ID')}")
    suite = release["VERSION_CODENAME"]
    digest = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:8]
    path = place.cache / f"base-{suite}-{digest}.tar"
    if path.exists() and time.time() - path.stat().st_mtime < _KEPT_S:
        return path
    sources = [
        source
        for source in map(Path, ("/etc/apt/sources.list", "/etc/apt/sources.list.d/debian.sources"))
        if source.exists() and source.read_text().strip()
    ]
    fresh = path.with_suffix(".new.tar")
    run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=essential",
            f"--include={','.join(packages)}",
            "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in _EXCLUDED),
            suite,
            fresh,
            *sources,
        ],
        timeout_s=900,
    )
    return fresh.rename(path)


def _os_release() -> dict[str, str]:
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    return {name: value.strip('"') for name, value in pairs}
