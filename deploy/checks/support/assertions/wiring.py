"""Objects that refer to each other do."""

from collections import Counter
from collections.abc import Iterator

from deploy.checks.support.assertions.parts import container, nodes, pod, selects, workers
from deploy.checks.support.render import Manifest, named, of_kind, the

_COMMON = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by"}


def problems_selectors(manifests: list[Manifest]) -> Iterator[str]:
    """Every selector that is meant for the workers finds them, by name and release."""
    labels = pod(manifests)["metadata"]["labels"]
    selectors = {"StatefulSet": workers(manifests)["selector"]}
    for service in of_kind(manifests, "Service"):
        selectors[named(service)] = {"matchLabels": service["spec"]["selector"]}
    for kind, field in (
        ("PodDisruptionBudget", "selector"),
        ("NetworkPolicy", "podSelector"),
        ("PodMonitor", "selector"),
        ("ServiceMonitor", "selector"),
    ):
        for each in of_kind(manifests, kind):
            selectors[named(each)] = each["spec"][field]
    for number, each in enumerate(pod(manifests)["spec"].get("topologySpreadConstraints", [])):
        selectors[f"topologySpreadConstraints.{number}"] = each["labelSelector"]
    for what, selector in selectors.items():
        if not selects(selector, labels):
            yield f"{what}: selects {selector}, the pods have {labels}"
        elif "app.kubernetes.io/instance" not in selector["matchLabels"]:
            yield f"{what}: selects {selector}: other releases' pods too"
    for monitor in (
        *of_kind(manifests, "PodMonitor"),
        *of_kind(manifests, "ServiceMonitor"),
    ):
        spaces = monitor["spec"].get("namespaceSelector", {}).get("matchNames", [])
        if spaces != [the(manifests, "StatefulSet")["metadata"]["namespace"]]:
            yield f"{named(monitor)}: looks in {spaces}"


def problems_names(manifests: list[Manifest]) -> Iterator[str]:
    """No object twice, common labels on all, and the objects named elsewhere exist."""
    names = [(each["kind"], each["metadata"]["name"]) for each in manifests]
    for (kind, name), count in Counter(names).items():
        if count > 1:
            yield f"{kind}/{name}: {count} times"
    for each in manifests:
        if each["kind"] != "Namespace" and not each["metadata"].get("labels", {}).keys() >= _COMMON:
            yield f"{named(each)}: a common label is missing"
    if ("Service", workers(manifests)["serviceName"]) not in names:
        yield f"serviceName: there is no Service {workers(manifests)['serviceName']}"
    for service in of_kind(manifests, "Service"):
        if service["spec"].get("clusterIP") != "None":
            yield f"{named(service)}: not headless, so that pods have no names"
        if not service["spec"].get("publishNotReadyAddresses"):
            yield f"{named(service)}: a worker that recovers has no name"
    account = pod(manifests)["spec"]["serviceAccountName"]
    if account != "default" and ("ServiceAccount", account) not in names:
        yield f"serviceAccountName: there is no ServiceAccount {account}"
    for scaled in of_kind(manifests, "ScaledObject"):
        target = scaled["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) not in names:
            yield f"{named(scaled)}: there is no {target['kind']}/{target['name']}"
        for trigger in scaled["spec"]["triggers"]:
            reference = trigger.get("authenticationRef")
            if reference and ("TriggerAuthentication", reference["name"]) not in names:
                yield f"{named(scaled)}: there is no TriggerAuthentication/{reference['name']}"


def problems_ports(manifests: list[Manifest]) -> Iterator[str]:
    """Every port that is given by name is one of the container's."""
    there = {port["name"] for port in container(manifests)["ports"]}
    used = [("probe", probe["httpGet"]["port"]) for probe in _probes(manifests)]
    for service in of_kind(manifests, "Service"):
        used += [(named(service), port["targetPort"]) for port in service["spec"]["ports"]]
    for monitor in of_kind(manifests, "PodMonitor"):
        used += [(named(monitor), each["port"]) for each in monitor["spec"]["podMetricsEndpoints"]]
    for policy in of_kind(manifests, "NetworkPolicy"):
        for rule in policy["spec"]["ingress"]:
            used += [(named(policy), port["port"]) for port in rule["ports"]]
    for what, port in used:
        if port not in there:
            yield f"{what}: port {port!r}, the container has {sorted(there)}"
    for node in nodes(pod(manifests)):
        if "hostPort" in node:
            yield f"hostPort {node['hostPort']}: two workers could not share a node"


def _probes(manifests: list[Manifest]) -> Iterator[Manifest]:
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        if name in container(manifests):
            yield container(manifests)[name]
