"""Strimzi's objects against what the worker says that it needs."""

from collections.abc import Iterator

from app.kafka.topic_specs import config_findings, count_findings, needed
from deploy.checks.support.assertions.settings import settings_if_right
from deploy.checks.support.render import Manifest, of_kind


def problems_topics(manifests: list[Manifest]) -> Iterator[str]:
    """``triggers topics check`` would have nothing to say about the topics."""
    topics = {each["spec"]["topicName"]: each["spec"] for each in of_kind(manifests, "KafkaTopic")}
    settings = settings_if_right(manifests)
    if not topics or settings is None:
        return
    counts = {name: spec["partitions"] for name, spec in topics.items()}
    yield from (str(finding) for finding in count_findings(settings, counts))
    inputs = set(settings.input_topics.values())
    for need in needed(settings):
        found = topics.pop(need.topic, None)
        if found is None:
            if need.topic not in inputs:
                yield f"{need.topic}: missing"
            continue
        config = {name: str(value) for name, value in found["config"].items()}
        yield from (str(finding) for finding in config_findings(need, config))
        if found["replicas"] != settings.replication_factor:
            yield f"{need.topic}: {found['replicas']} replicas"
        if found["partitions"] != settings.partitions:
            yield f"{need.topic}: {found['partitions']} partitions"
        wanted = need.config(settings.replication_factor)
        if need.topic in inputs:
            wanted.pop("retention.ms", None)
        for name, value in wanted.items():
            if config.get(name) != value:
                yield f"{need.topic}: {name}: {config.get(name)}, expected {value}"
    yield from (f"{name}: not needed" for name in topics)


def problems_access(manifests: list[Manifest]) -> Iterator[str]:
    """Access is what ``topic_specs`` says of each topic, the group and its transactions."""
    settings = settings_if_right(manifests)
    if settings is None:
        return
    for user in of_kind(manifests, "KafkaUser"):
        wanted = {("topic", need.topic): set(need.operations) for need in needed(settings)}
        wanted["group", settings.app_id] = {"Describe", "Read"}
        wanted["transactionalId", f"{settings.app_id}-"] = {"Describe", "Write"}
        found = {}
        for rule in user["spec"]["authorization"]["acls"]:
            resource = rule["resource"]
            found[resource["type"], resource.get("name")] = set(rule["operations"])
            is_prefix = resource["type"] == "transactionalId"
            if resource.get("patternType") != ("prefix" if is_prefix else "literal"):
                yield f"{resource}: more, or less, than is used"
            if rule.get("type", "allow") != "allow":
                yield f"{resource}: {rule['type']}"
        for key in sorted({*wanted, *found}, key=str):
            if wanted.get(key) != found.get(key):
                yield f"{key}: may {found.get(key)}, expected {wanted.get(key)}"
        protocol = settings.security_protocol
        expected = {"tls": "SSL", "scram-sha-512": "SASL_SSL"}
        if protocol != expected[user["spec"]["authentication"]["type"]]:
            yield f"authentication {user['spec']['authentication']}, the worker speaks {protocol}"
        if settings.sasl_username not in (None, user["metadata"]["name"]):
            yield f"the worker calls itself {settings.sasl_username}"
