"""The chart's pod really starts against a broker, decides, reloads, stops and comes back.

The broker is the embedded one, on this machine; the pod is run by podman.
"""

import json
import re
import socket
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from confluent_kafka import Consumer, Producer

from app.core.errors import ConfigError
from app.kafka import topics
from app.kafka.clients import consumer_config, producer_config
from app.kafka.embedded_broker import EmbeddedBroker
from app.kafka.partitioning import partition_for
from app.settings.model import Settings
from deploy.checks.support.containers import runnable
from deploy.checks.support.image import TAG, built
from deploy.checks.support.place import Place
from deploy.checks.support.pod import Pod
from deploy.checks.support.render import template
from deploy.checks.support.results import NotHere, Result, judged, ok

_PARTITIONS: Final = 4
_CUSTOMER: Final = "customer-1"
#: /proc/1/status -> what a restricted process has there.
_RESTRICTED: Final = {
    "Uid": "10001",
    "Gid": "10001",
    "CapEff": "0000000000000000",
    "NoNewPrivs": "1",
    "Seccomp": "2",
}


def run(place: Place) -> Iterator[Result]:
    """One pod's life, in order."""
    image = built(place)
    store = runnable(place, image.tag)
    try:
        broker = EmbeddedBroker().start()
    except ConfigError as exc:
        raise NotHere(str(exc)) from exc
    with broker:
        settings = Settings(bootstrap_servers=broker.bootstrap_servers, partitions=_PARTITIONS)
        topics.create(settings)
        pod = Pod(place, store, template(place, _values(broker.bootstrap_servers)))
        pod.start()
        yield from _starts(pod)
        yield from _works(pod, settings)
        yield from _reloads(pod)
        yield from _stops(pod)
        pod.remove()
        pod.start()
        pod.wait("ready again", lambda: pod.probe("readinessProbe") == 200)
        pod.wait("state is there", lambda: pod.metric("trigger_customers") == 1)
        yield ok("comes back with its volume", "state kept, same name in the group")
        pod.stop()
        pod.remove()


def _values(servers: str) -> dict[str, Any]:
    repository, _, tag = TAG.partition(":")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    return {
        "workers": 1,
        "kafka": {
            "bootstrapServers": servers,
            "partitions": _PARTITIONS,
            "replicationFactor": 1,
        },
        "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
        "web": {"port": port},
    }


def _starts(pod: Pod) -> Iterator[Result]:
    pod.wait("ready", lambda: pod.probe("readinessProbe") == 200)
    begun = _instant(pod.inspect("{{.State.StartedAt}}"))
    took_s = datetime.now(begun.tzinfo).timestamp() - begun.timestamp()
    yield ok("starts and turns ready", f"{took_s:.1f} s from the container's start")
    wrong = [
        f"{probe}: {pod.probe(probe)}"
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        if pod.probe(probe) != 200
    ]
    yield judged("probes answer 200", wrong, "startup, liveness, readiness")
    status = dict(re.findall(r"(\w+):\s+(\S+)", pod.execute("cat", "/proc/1/status")))
    wrong = [
        f"{name}: {status.get(name)}, expected {value}"
        for name, value in _RESTRICTED.items()
        if status.get(name) != value
    ]
    if pod.inspect("{{.HostConfig.ReadonlyRootfs}}") != "true":
        wrong.append("the root can be written to")
    yield judged("is restricted", wrong, f"{int(status['VmRSS']) / 1000:.0f} MB resident")
    pod.execute("triggers", "health", "ready")
    yield ok("triggers health ready", "0 inside the container")


def _works(pod: Pod, settings: Settings) -> Iterator[Result]:
    """An order leads to a send request."""
    producer = Producer(producer_config(settings))
    moment = int(datetime.now().astimezone().timestamp() * 1000) - 1000
    for number, (topic, kind, data) in enumerate(
        (
            ("profiles", "profile_updated", {"email": "somebody@example.org"}),
            ("orders", "order_placed", {"order_id": "o1", "value": 10}),
        )
    ):
        value = {
            "event_id": f"e{number}",
            "type": kind,
            "customer_id": _CUSTOMER,
            "occurred_at": moment + number,
            "data": data,
        }
        place = partition_for(_CUSTOMER.encode(), _PARTITIONS)
        producer.produce(topic, json.dumps(value).encode(), _CUSTOMER.encode(), place)
        producer.flush(10)
    reader = Consumer(consumer_config(settings) | {"group.id": "deploy-check"})
    reader.subscribe([settings.topic("dispatch")])
    sent: list[dict[str, Any]] = []

    def is_sent() -> bool:
        message = reader.poll(0.5)
        if message is not None and message.error() is None:
            sent.append(json.loads(message.value() or b"{}"))
        return bool(sent)

    pod.wait("a send request", is_sent)
    reader.close()
    yield ok("an order leads to a send request", f"{sent[0]['trigger']} by {sent[0]['channel']}")


def _reloads(pod: Pod) -> Iterator[Result]:
    begun = pod.inspect("{{.State.StartedAt}}")
    rules = pod.execute("cat", "/etc/trigger/rules/rules.yaml")
    pod.update_rules(rules.replace("cooldown: 48h", "cooldown: 24h"))
    took_s = pod.wait("rules reloaded", lambda: pod.metric("trigger_rules_reloads_total") == 1)
    pod.update_rules("version: 1\ntriggers: {x: {kind: nothing}}\n")
    pod.wait("wrong rules refused", lambda: pod.metric("trigger_rules_stale") == 1)
    restarted = pod.inspect("{{.State.StartedAt}}") != begun
    wrong = ["the container was restarted"] if restarted else []
    wrong += [] if pod.probe("readinessProbe") == 200 else ["not ready with refused rules"]
    yield judged(
        "a changed ConfigMap reloads, a wrong one is refused", wrong, f"{took_s:.1f} s, no restart"
    )


def _stops(pod: Pod) -> Iterator[Result]:
    took_s = pod.stop()
    code = pod.inspect("{{.State.ExitCode}}")
    wrong = [] if code == "0" else [f"exit code {code}\n{pod.log()[-800:]}"]
    wrong += ["the stop was cut short"] if "stop_deadline" in pod.log() else []
    yield judged("SIGTERM drains", wrong, f"{took_s:.1f} s, exit code {code}")


def _instant(text: str) -> datetime:
    """``2026-01-31 10:00:00.123456789 +0000 UTC``."""
    day, hour, zone, *_ = text.split()
    return datetime.fromisoformat(f"{day}T{hour[:15]}{zone[:3]}:{zone[3:]}")
