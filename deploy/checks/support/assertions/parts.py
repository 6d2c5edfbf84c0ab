"""Finding one's way in rendered objects."""

from collections.abc import Iterator, Mapping
from typing import Any

from deploy.checks.support.render import Manifest, of_kind, the


def workers(manifests: list[Manifest]) -> Manifest:
    """The StatefulSet's spec."""
    spec: Manifest = the(manifests, "StatefulSet")["spec"]
    return spec


def pod(manifests: list[Manifest]) -> Manifest:
    """The pods' template: metadata and spec."""
    template: Manifest = workers(manifests)["template"]
    return template


def container(manifests: list[Manifest]) -> Manifest:
    """The worker's container of a pod."""
    (found,) = (each for each in pod(manifests)["spec"]["containers"] if each["name"] == "worker")
    assert isinstance(found, dict)
    return found


def variables(manifests: list[Manifest]) -> dict[str, str]:
    """The worker's environment, as that of the first pod: references resolved as kubelet does."""
    name = f"{the(manifests, 'StatefulSet')['metadata']['name']}-0"
    values: dict[str, str] = {}
    for each in container(manifests)["env"]:
        source = each.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        value = name if source == "metadata.name" else each["value"]
        for known, text in values.items():
            value = value.replace(f"$({known})", text)
        values[each["name"]] = value
    return values


def least_workers(manifests: list[Manifest]) -> int:
    """How many workers there are at the least."""
    scaled = of_kind(manifests, "ScaledObject")
    if scaled:
        least: int = scaled[0]["spec"]["minReplicaCount"]
        return least
    count: int = workers(manifests)["replicas"]
    return count


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a selector's ``matchLabels`` are among the labels. An empty selector is none."""
    wanted = selector.get("matchLabels", {})
    return bool(wanted) and wanted.items() <= labels.items()


def nodes(tree: Any) -> Iterator[Mapping[str, Any]]:
    """All maps within a manifest."""
    if isinstance(tree, Mapping):
        yield tree
        for value in tree.values():
            yield from nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from nodes(value)
