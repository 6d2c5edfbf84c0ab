"""How workers start, stop, move and scale."""

from collections.abc import Iterator
from typing import Final

from app.live.worker import STOP_DEADLINE_S
from deploy.checks.support.assertions.parts import container, least_workers, pod, variables, workers
from deploy.checks.support.assertions.settings import settings_if_right
from deploy.checks.support.render import Manifest, named, of_kind

#: What a stop may take beside the drain: the container's start of it, and its end.
_MARGIN_S: Final = 5
_LEAST_START_S: Final = 120
_LEAST_LIVE_S: Final = 30


def problems_budget(manifests: list[Manifest]) -> Iterator[str]:
    """A budget keeps one worker at least, and never blocks a node's drain for good."""
    least = least_workers(manifests)
    for each in of_kind(manifests, "PodDisruptionBudget"):
        spec = each["spec"]
        allowed = spec.get("maxUnavailable", least - spec.get("minAvailable", 0))
        if least - allowed < 1:
            yield f"{named(each)}: may leave none of {least} workers"
        if allowed < 1:
            yield f"{named(each)}: lets none of {least} workers go"


def problems_stopping(manifests: list[Manifest]) -> Iterator[str]:
    """SIGKILL comes after the worker has cut its stop short by itself."""
    grace_s = pod(manifests)["spec"].get("terminationGracePeriodSeconds", 30)
    if grace_s < STOP_DEADLINE_S + _MARGIN_S:
        yield f"terminationGracePeriodSeconds: {grace_s}, the drain takes up to {STOP_DEADLINE_S}"
    lifecycle = container(manifests).get("lifecycle", {})
    if "preStop" in lifecycle:
        yield "preStop: takes from the time to drain"


def problems_volume(manifests: list[Manifest]) -> Iterator[str]:
    """Each worker has a claim of its own, where its data is, that nothing here deletes."""
    spec = workers(manifests)
    policy = spec.get("persistentVolumeClaimRetentionPolicy", {})
    if policy != {"whenDeleted": "Retain", "whenScaled": "Retain"}:
        yield f"persistentVolumeClaimRetentionPolicy: {policy}, expected Retain for both"
    claims = {each["metadata"]["name"]: each["spec"] for each in spec["volumeClaimTemplates"]}
    path = variables(manifests)["TRIGGER_DATA_DIR"]
    mounted = [
        mount["name"]
        for mount in container(manifests)["volumeMounts"]
        if mount["mountPath"] == path
    ]
    if len(mounted) != 1 or mounted[0] not in claims:
        yield f"{path}: mounted from {mounted}, expected one of the claims {sorted(claims)}"
    for name, claim in claims.items():
        if claim["accessModes"] not in (["ReadWriteOnce"], ["ReadWriteOncePod"]):
            yield f"claim {name}: {claim['accessModes']}: two workers could share it"
    if "fsGroup" not in pod(manifests)["spec"]["securityContext"]:
        yield "fsGroup: missing, a new volume belongs to root"


def problems_identity(manifests: list[Manifest]) -> Iterator[str]:
    """The instance id is the pod's name, and the URL leads to that pod alone."""
    found = variables(manifests)
    (workload,) = of_kind(manifests, "StatefulSet")
    name, space = workload["metadata"]["name"], workload["metadata"]["namespace"]
    if found.get("TRIGGER_INSTANCE_ID") != f"{name}-0":
        yield f"TRIGGER_INSTANCE_ID: {found.get('TRIGGER_INSTANCE_ID')}, expected {name}-0"
    service = workload["spec"]["serviceName"]
    url = f"http://{name}-0.{service}.{space}.svc:{found['TRIGGER_WEB_PORT']}"
    if found.get("TRIGGER_WEB_URL") != url:
        yield f"TRIGGER_WEB_URL: {found.get('TRIGGER_WEB_URL')}, expected {url}"


def problems_probes(manifests: list[Manifest]) -> Iterator[str]:
    """Each probe has its path, a start may take its time, a hiccup does not restart."""
    found = container(manifests)
    for name, path in (
        ("startupProbe", "/startup"),
        ("livenessProbe", "/live"),
        ("readinessProbe", "/ready"),
    ):
        if found.get(name, {}).get("httpGet", {}).get("path") != path:
            yield f"{name}: {found.get(name)}, expected {path}"
            return
    start, live = found["startupProbe"], found["livenessProbe"]
    if start["periodSeconds"] * start["failureThreshold"] < _LEAST_START_S:
        yield f"startupProbe: gives less than {_LEAST_START_S} s"
    if live["periodSeconds"] * live["failureThreshold"] < _LEAST_LIVE_S:
        yield f"livenessProbe: gives less than {_LEAST_LIVE_S} s"


def problems_scaling(manifests: list[Manifest]) -> Iterator[str]:
    """No more workers than partitions, never none, and the group and topics are the worker's."""
    found = variables(manifests)
    partitions = int(found["TRIGGER_PARTITIONS"])
    scaled = of_kind(manifests, "ScaledObject")
    if not scaled:
        if not 1 <= workers(manifests)["replicas"] <= partitions:
            yield f"replicas: {workers(manifests)['replicas']}, there are {partitions} partitions"
        return
    spec = scaled[0]["spec"]
    if "replicas" in workers(manifests):
        yield "replicas: set, so that every upgrade undoes the scaling"
    if not 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"] <= partitions:
        yield f"{named(scaled[0])}: {spec['minReplicaCount']}..{spec['maxReplicaCount']} workers"
    if "idleReplicaCount" in spec:
        yield f"{named(scaled[0])}: idleReplicaCount: timers fire without any event"
    for trigger in spec["triggers"]:
        data = trigger["metadata"]
        if data["consumerGroup"] != found.get("TRIGGER_APP_ID"):
            yield f"{named(scaled[0])}: group {data['consumerGroup']}"
        if data["bootstrapServers"] != found["TRIGGER_BOOTSTRAP_SERVERS"]:
            yield f"{named(scaled[0])}: brokers {data['bootstrapServers']}"
        if data.get("allowIdleConsumers") != "false":
            yield f"{named(scaled[0])}: {data['topic']}: allows idle workers"
        if any(not isinstance(value, str) for value in data.values()):
            yield f"{named(scaled[0])}: {data['topic']}: metadata that is not text"
    settings = settings_if_right(manifests)
    wanted = set() if settings is None else set(settings.input_topics.values())
    topics = {trigger["metadata"]["topic"] for trigger in spec["triggers"]}
    if topics != wanted:
        yield f"{named(scaled[0])}: looks at {sorted(topics)}, expected {sorted(wanted)}"
