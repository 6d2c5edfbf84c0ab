"""The chart's first pod on this machine: as the StatefulSet's controller and kubelet would make it.

podman takes Kubernetes' objects, but neither StatefulSets nor every field. What is done here in
their place: the pod's name, its claim's volume, references inside variables, a ConfigMap's update.
The network is the machine's own, where the broker is.
"""

import copy
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

import yaml

from deploy.checks.support.assertions.parts import container, pod, variables, workers
from deploy.checks.support.containers import Store
from deploy.checks.support.place import Place
from deploy.checks.support.render import Manifest, of_kind, the
from deploy.checks.support.results import Broken

#: What podman does not know, or does with a program that the image has not.
_NOT_FOR_PODMAN: Final = ("startupProbe", "livenessProbe", "readinessProbe", "ports")
_POLL_S: Final = 0.02


class Pod:
    """The pod ``NAME-0`` of rendered objects, between ``start`` and ``stop``."""

    def __init__(self, place: Place, store: Store, manifests: list[Manifest]) -> None:
        self._store = store
        self._manifests = manifests
        self._name = f"{the(manifests, 'StatefulSet')['metadata']['name']}-0"
        self._file = place.folder("pod") / "pod.yaml"
        self._file.write_text(yaml.safe_dump_all(self._objects()))
        self._port = variables(manifests)["TRIGGER_WEB_PORT"]

    def start(self) -> None:
        """Make and start it; a pod that was stopped is made anew, its volume is the same."""
        self._store.podman("kube", "play", self._file)

    def stop(self) -> float:
        """SIGTERM, SIGKILL after the grace; the seconds that it took."""
        grace_s = pod(self._manifests)["spec"]["terminationGracePeriodSeconds"]
        started = time.monotonic()
        self._store.podman("stop", "--time", str(grace_s), self.container)
        return time.monotonic() - started

    def remove(self) -> None:
        """The pod goes, and the ConfigMap's copy; the claim's volume stays."""
        self._store.podman("kube", "down", self._file)
        rules = pod(self._manifests)["spec"]["volumes"][0]["configMap"]["name"]
        self._store.podman("volume", "rm", rules)

    @property
    def container(self) -> str:
        """Name of the worker's container."""
        return f"{self._name}-worker"

    def inspect(self, template: str) -> str:
        """A figure of the container, as podman's templates say it."""
        return self._store.podman("inspect", "--format", template, self.container)

    def execute(self, *command: str) -> str:
        """A command in the container. Raises Broken when it fails."""
        return self._store.podman("exec", self.container, *command)

    def log(self) -> str:
        """What the worker has written."""
        done = self._store.podman_tried("logs", self.container)
        return done.stdout + done.stderr

    def probe(self, name: str) -> int:
        """The status that kubelet would get for ``startupProbe`` and so on; 0: no answer."""
        return self.get(container(self._manifests)[name]["httpGet"]["path"])[0]

    def get(self, path: str) -> tuple[int, str]:
        """Status and text; 0 without an answer."""
        with suppress(OSError):
            try:
                with urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as answer:
                    return answer.status, answer.read().decode()
            except URLError as exc:
                return getattr(exc, "code", 0), str(exc)
        return 0, ""

    def metric(self, name: str) -> float:
        """The sum over all labels of a metric's samples."""
        lines = self.get("/metrics")[1].splitlines()
        samples = (line.split() for line in lines if line.split("{")[0].split(" ")[0] == name)
        return sum(float(sample[-1]) for sample in samples)

    def update_rules(self, content: str) -> None:
        """The ConfigMap changes: a new folder, and one link that is swapped, as kubelet does it."""
        source = pod(self._manifests)["spec"]["volumes"][0]["configMap"]["name"]
        mount = Path(self._store.podman("volume", "inspect", "--format", "{{.Mountpoint}}", source))
        fresh = f"..{time.monotonic_ns()}"
        (mount / fresh).mkdir()
        (mount / fresh / "rules.yaml").write_text(content)
        for link, target in (("..data", fresh), ("rules.yaml", "..data/rules.yaml")):
            (mount / "..new").symlink_to(target)
            os.replace(mount / "..new", mount / link)

    def wait(self, what: str, is_so: Callable[[], bool], deadline_s: float = 60.0) -> float:
        """The seconds until it is so. Raises Broken with the log's end when it is not in time."""
        started = time.monotonic()
        while time.monotonic() < started + deadline_s:
            if is_so():
                return time.monotonic() - started
            time.sleep(_POLL_S)
        raise Broken(f"not within {deadline_s:g} s: {what}\n{self.log()[-1500:]}")

    def _objects(self) -> list[Manifest]:
        template = copy.deepcopy(pod(self._manifests))
        spec: dict[str, Any] = template["spec"]
        (worker,) = spec["containers"]
        for field in _NOT_FOR_PODMAN:
            worker.pop(field)
        worker["env"] = [
            {"name": name, "value": value} for name, value in variables(self._manifests).items()
        ]
        spec |= {"hostNetwork": True}
        for field in ("serviceAccountName", "topologySpreadConstraints"):
            spec.pop(field, None)
        for claim in workers(self._manifests)["volumeClaimTemplates"]:
            name = claim["metadata"]["name"]
            claimed = {"claimName": f"{name}-{self._name}"}
            spec["volumes"].append({"name": name, "persistentVolumeClaim": claimed})
        metadata = {"name": self._name, "labels": template["metadata"]["labels"]}
        made = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        return [*of_kind(self._manifests, "ConfigMap"), made]
