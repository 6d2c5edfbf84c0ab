"""The chart and the overlays as the objects that a cluster would be given."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.checks.support.binaries import helm, kubectl
from deploy.checks.support.place import Place, run
from deploy.checks.support.results import Broken

#: The ends of what Chart.yaml says it runs on, with the schemas that there are.
OLDEST: Final = "1.29.0"
NEWEST: Final = "1.37.0"
RELEASE: Final = "triggers"
NAMESPACE: Final = "shop"
OVERLAYS: Final = ("dev", "production")

Manifest = dict[str, Any]
Values = Mapping[str, Any]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def chart(place: Place) -> Path:
    """The chart's folder."""
    return place.deploy / "chart"


def template(place: Place, values: Values, kubernetes: str = OLDEST) -> list[Manifest]:
    """The chart's objects with these values. Raises Broken with helm's words when it refuses."""
    command: list[str | Path] = [helm(place), "template", RELEASE, chart(place)]
    done = subprocess.run(
        [*command, "--namespace", NAMESPACE, "--kube-version", kubernetes, "--values", "-"],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Broken(done.stderr.strip())
    return parse(done.stdout)


def overlay(place: Place, name: str) -> list[Manifest]:
    """The objects of deploy/overlays/``name``."""
    folder = place.deploy / "overlays" / name
    command: list[str | Path] = [kubectl(place), "kustomize", "--enable-helm"]
    return parse(run([*command, "--helm-command", helm(place), folder]).stdout)


def parse(text: str) -> list[Manifest]:
    """The objects of a stream of YAML documents, empty ones left out."""
    return [each for each in yaml.load_all(text, Loader=_Loader) if each]  # is safe


def named(manifest: Manifest) -> str:
    """``Kind/name``."""
    return f"{manifest.get('kind')}/{manifest.get('metadata', {}).get('name')}"


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    """Those of one kind."""
    return [each for each in manifests if each.get("kind") == kind]


def the(manifests: list[Manifest], kind: str) -> Manifest:
    """The only one of a kind. Raises Broken."""
    found = of_kind(manifests, kind)
    if len(found) != 1:
        raise Broken(f"{kind}: got {len(found)}, expected one")
    return found[0]
