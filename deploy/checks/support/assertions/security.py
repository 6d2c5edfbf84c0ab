"""Pods are restricted, secrets come from files, the network is closed."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from deploy.checks.support.assertions.parts import container, nodes, pod, variables
from deploy.checks.support.assertions.settings import FILES
from deploy.checks.support.render import Manifest, named, of_kind

#: Kinds of volume that the Pod Security Standard "restricted" allows.
_VOLUMES: Final = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}

#: Variables with URLs that the worker asks.
_URLS: Final = ("TRIGGER_SCHEMA_REGISTRY_URL", "TRIGGER_OTLP_ENDPOINT", "TRIGGER_SASL_TOKEN_URL")
_PORTS: Final = {"http": 80, "https": 443}


def problems_pod(manifests: list[Manifest]) -> Iterator[str]:
    """The Pod Security Standard "restricted", and a read-only root and no token beside it."""
    spec, found = pod(manifests)["spec"], container(manifests)
    for field in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
        if spec.get(field):
            yield f"{field}: set"
    for volume in spec.get("volumes", []):
        kinds = volume.keys() - {"name"}
        if not kinds <= _VOLUMES:
            yield f"volume {volume['name']}: {sorted(kinds)} is not allowed"
    wide, own = spec.get("securityContext", {}), found.get("securityContext", {})
    wanted: dict[str, tuple[Any, Any]] = {
        "runAsNonRoot": (wide.get("runAsNonRoot"), True),
        "seccompProfile": (wide.get("seccompProfile"), {"type": "RuntimeDefault"}),
        "allowPrivilegeEscalation": (own.get("allowPrivilegeEscalation"), False),
        "readOnlyRootFilesystem": (own.get("readOnlyRootFilesystem"), True),
        "capabilities": (own.get("capabilities"), {"drop": ["ALL"]}),
        "privileged": (own.get("privileged", False), False),
        "automountServiceAccountToken": (spec.get("automountServiceAccountToken"), False),
        "enableServiceLinks": (spec.get("enableServiceLinks"), False),
    }
    for field, (got, expected) in wanted.items():
        if got != expected:
            yield f"{field}: got {got}, expected {expected}"
    if not wide.get("runAsUser"):
        yield f"runAsUser: {wide.get('runAsUser')}"
    for account in of_kind(manifests, "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"{named(account)}: has a token mounted"
    resources = found.get("resources", {})
    for kind, name in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        if name not in resources.get(kind, {}):
            yield f"resources.{kind}.{name}: missing"
    if not found["image"].rpartition("/")[2].replace("@", ":").partition(":")[2]:
        yield f"image: {found['image']}: neither tag nor digest"


def problems_secrets(manifests: list[Manifest]) -> Iterator[str]:
    """No secret in an object or a variable; each is a file that only the worker reads."""
    for each in manifests:
        if each["kind"] == "Secret":
            yield f"{named(each)}: a chart's Secret is in the release's history"
    for node in nodes(pod(manifests)):
        if "secretKeyRef" in node or "secretRef" in node:
            yield f"a variable from a Secret: {dict(node)}"
    mounts = {mount["name"]: mount for mount in container(manifests)["volumeMounts"]}
    paths = set()
    for volume in pod(manifests)["spec"].get("volumes", []):
        for source in volume.get("projected", {}).get("sources", []):
            mount = mounts[volume["name"]]
            if not mount.get("readOnly"):
                yield f"{mount['mountPath']}: can be written to"
            if volume["projected"].get("defaultMode", 0o644) & 0o007:
                yield f"{mount['mountPath']}: everybody may read it"
            items = source["secret"]["items"] if "secret" in source else source.values()
            paths |= {f"{mount['mountPath']}/{item['path']}" for item in items}
    for name, value in variables(manifests).items():
        if name.endswith(FILES):
            if value not in paths:
                yield f"{name}: {value} is not among the mounted files {sorted(paths)}"
            paths.discard(value)
    if paths:
        yield f"mounted and not used: {sorted(paths)}"


def problems_network(manifests: list[Manifest]) -> Iterator[str]:
    """In: the web port, from somebody in particular. Out: names, and what settings name."""
    for policy in of_kind(manifests, "NetworkPolicy"):
        spec = policy["spec"]
        if sorted(spec["policyTypes"]) != ["Egress", "Ingress"]:
            yield f"{named(policy)}: {spec['policyTypes']}"
        for rule in spec["ingress"]:
            if not rule.get("from") or {} in rule["from"]:
                yield f"{named(policy)}: anybody may come in"
        out = [port for rule in spec["egress"] for port in rule.get("ports", [])]
        if any(not rule.get("ports") for rule in spec["egress"]):
            yield f"{named(policy)}: all ports are open"
        reached = {(port["port"], port.get("protocol", "TCP")) for port in out}
        if not {(53, "UDP"), (53, "TCP")} <= reached:
            yield f"{named(policy)}: no names can be looked up"
        wanted = set(_remote_ports(variables(manifests)))
        if not wanted <= {port for port, _ in reached}:
            yield f"{named(policy)}: needs ports {sorted(wanted)}, reaches {sorted(reached)}"


def _remote_ports(found: Mapping[str, str]) -> Iterator[int]:
    """Where the worker connects to."""
    for server in found["TRIGGER_BOOTSTRAP_SERVERS"].split(","):
        yield int(server.rpartition(":")[2])
    for name in _URLS:
        for url in filter(None, found.get(name, "").split(",")):
            parts = urlsplit(url)
            yield parts.port or _PORTS[parts.scheme]
