"""Faults put into good objects, each of which a check has to notice: the checks are checked."""

import copy
from collections.abc import Callable
from typing import Any, Final

from deploy.checks.support.assertions import ASSERTIONS
from deploy.checks.support.assertions.parts import container, pod, workers
from deploy.checks.support.render import NEWEST, OLDEST, Manifest, the
from deploy.checks.support.schemas import problems

Fault = Callable[[list[Manifest]], Any]


def _spec(manifests: list[Manifest], kind: str) -> Manifest:
    found: Manifest = the(manifests, kind)["spec"]
    return found


def _env(manifests: list[Manifest], name: str, value: str) -> None:
    container(manifests)["env"].append({"name": name, "value": value})


def _topic(manifests: list[Manifest], name: str) -> Manifest:
    for each in manifests:
        if each["kind"] == "KafkaTopic" and each["spec"]["topicName"] == name:
            spec: Manifest = each["spec"]
            return spec
    raise LookupError(name)


#: Fault in words -> what makes it. Each must trip an assertion.
FAULTS: Final[dict[str, Fault]] = {
    "the Service selects others": lambda m: _spec(m, "Service")["selector"].update(app="other"),
    "the budget selects all": lambda m: _spec(m, "PodDisruptionBudget").update(selector={}),
    "the monitor looks for old labels": lambda m: _spec(m, "PodMonitor")["selector"][
        "matchLabels"
    ].update(version="1"),
    "the Service is not the StatefulSet's": lambda m: workers(m).update(serviceName="other"),
    "the Service hides recovering workers": lambda m: _spec(m, "Service").update(
        publishNotReadyAddresses=False
    ),
    "the account is not there": lambda m: pod(m)["spec"].update(serviceAccountName="other"),
    "the probe's port has another name": lambda m: container(m)["readinessProbe"]["httpGet"].update(
        port="http"
    ),
    "a host port": lambda m: container(m)["ports"][0].update(hostPort=80),
    "a budget that leaves none": lambda m: _spec(m, "PodDisruptionBudget").update(maxUnavailable=9),
    "a budget that blocks": lambda m: _spec(m, "PodDisruptionBudget").update(maxUnavailable=0),
    "grace within the drain": lambda m: pod(m)["spec"].update(terminationGracePeriodSeconds=10),
    "claims go with the release": lambda m: workers(m)[
        "persistentVolumeClaimRetentionPolicy"
    ].update(whenDeleted="Delete"),
    "claims go with the scaling": lambda m: workers(m).pop("persistentVolumeClaimRetentionPolicy"),
    "data beside the volume": lambda m: _env(m, "TRIGGER_DATA_DIR", "/tmp/data"),
    "a shared volume": lambda m: workers(m)["volumeClaimTemplates"][0]["spec"].update(
        accessModes=["ReadWriteMany"]
    ),
    "one name for all workers": lambda m: _env(m, "TRIGGER_INSTANCE_ID", "worker"),
    "one address for all workers": lambda m: _env(m, "TRIGGER_WEB_URL", "http://triggers:6066"),
    "live is asked whether it is ready": lambda m: container(m)["livenessProbe"]["httpGet"].update(
        path="/ready"
    ),
    "an impatient start": lambda m: container(m)["startupProbe"].update(failureThreshold=3),
    "more workers than partitions": lambda m: _spec(m, "ScaledObject").update(maxReplicaCount=99),
    "scaling to none": lambda m: _spec(m, "ScaledObject").update(minReplicaCount=0),
    "upgrades undo the scaling": lambda m: workers(m).update(replicas=3),
    "scaling by another group": lambda m: _spec(m, "ScaledObject")["triggers"][0][
        "metadata"
    ].update(consumerGroup="other"),
    "root": lambda m: pod(m)["spec"]["securityContext"].update(runAsNonRoot=False),
    "a writable root": lambda m: container(m)["securityContext"].pop("readOnlyRootFilesystem"),
    "a capability": lambda m: container(m)["securityContext"]["capabilities"].update(
        add=["NET_ADMIN"]
    ),
    "a path of the host": lambda m: pod(m)["spec"]["volumes"].append(
        {"name": "h", "hostPath": {"path": "/"}}
    ),
    "a token": lambda m: pod(m)["spec"].pop("automountServiceAccountToken"),
    "no limit of memory": lambda m: container(m)["resources"]["limits"].pop("memory"),
    "a secret in a variable": lambda m: container(m)["env"].append(
        {"name": "TRIGGER_X", "value": "", "valueFrom": {"secretKeyRef": {"name": "a"}}}
    ),
    "a secret file that is not mounted": lambda m: _env(m, "TRIGGER_SSL_CAFILE", "/etc/ca.crt"),
    "anybody may come in": lambda m: _spec(m, "NetworkPolicy")["ingress"][0].pop("from"),
    "the brokers cannot be reached": lambda m: _spec(m, "NetworkPolicy")["egress"].pop(1),
    "the collector cannot be reached": lambda m: _spec(m, "NetworkPolicy")["egress"].pop(2),
    "a setting that is not known": lambda m: _env(m, "TRIGGER_TOPICS", "x"),
    "a setting that is wrong": lambda m: _env(m, "TRIGGER_GRACE", "5 seconds"),
    "rules that never change": lambda m: container(m)["volumeMounts"][1].update(subPath="rules"),
    "rules that restart": lambda m: pod(m)["metadata"]["annotations"].update({"checksum/r": "1"}),
    "rules that are wrong": lambda m: next(
        each for each in m if each["kind"] == "ConfigMap" and "rules.yaml" in each["data"]
    )["data"].update({"rules.yaml": "version: 2\n"}),
    "a changelog that forgets": lambda m: _topic(m, "triggers-customers-changelog")[
        "config"
    ].update({"cleanup.policy": "delete"}),
    "inputs kept for an hour": lambda m: _topic(m, "orders")["config"].update(
        {"retention.ms": 3_600_000}
    ),
    "inputs with different partitions": lambda m: _topic(m, "bookings").update(partitions=3),
    "a missing topic": lambda m: m.remove(
        next(each for each in m if each.get("spec", {}).get("topicName") == "decisions")
    ),
    "access that is not needed": lambda m: _spec(m, "KafkaUser")["authorization"]["acls"][0][
        "operations"
    ].append("Alter"),
    "access to everything": lambda m: _spec(m, "KafkaUser")["authorization"]["acls"][0][
        "resource"
    ].update(name="*", patternType="prefix"),
    "access that is missing": lambda m: _spec(m, "KafkaUser")["authorization"]["acls"].pop(),
}

#: The same for the schemas.
MALFORMED: Final[dict[str, Fault]] = {
    "a misspelt field of a pod": lambda m: pod(m)["spec"].update(terminationGraceSeconds=60),
    "text for a number": lambda m: workers(m).update(minReadySeconds="5"),
    "a misspelt field of KEDA's": lambda m: _spec(m, "ScaledObject").update(minReplicas=1),
    "a number for KEDA's text": lambda m: _spec(m, "ScaledObject")["triggers"][0][
        "metadata"
    ].update(lagThreshold=5),
    "a misspelt field of the monitor": lambda m: _spec(m, "PodMonitor")["podMetricsEndpoints"][
        0
    ].update(intervals="5s"),
    "a misspelt field of a topic": lambda m: _topic(m, "orders").update(partition=3),
    "an access operation that is none": lambda m: _spec(m, "KafkaUser")["authorization"]["acls"][0][
        "operations"
    ].append("Peek"),
    "a kind without a schema": lambda m: m.append(
        {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}}
    ),
    "an API that is gone": lambda m: the(m, "PodDisruptionBudget").update(
        apiVersion="policy/v1beta1"
    ),
}


def unnoticed(manifests: list[Manifest]) -> list[str]:
    """The faults in these objects, which have everything switched on, that no check notices."""
    missed = [f"without a fault: {problem}" for problem in _asserted(manifests)]
    missed += [
        f"{name}: no assertion notices"
        for name, fault in FAULTS.items()
        if not _asserted(_with(fault, manifests))
    ]
    missed += [
        f"{name}: the schemas of {kubernetes} allow it"
        for name, fault in MALFORMED.items()
        for kubernetes in (OLDEST, NEWEST)
        if not any(problems(each, kubernetes) for each in _with(fault, manifests))
    ]
    return missed


def _asserted(manifests: list[Manifest]) -> list[str]:
    return [problem for check in ASSERTIONS.values() for problem in check(manifests)]


def _with(fault: Fault, manifests: list[Manifest]) -> list[Manifest]:
    broken = copy.deepcopy(manifests)
    fault(broken)
    return broken
