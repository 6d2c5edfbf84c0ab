"""The worker itself accepts what the chart gives it."""

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from app.core.errors import ConfigError
from app.rules_file.load import load_rules
from app.settings.load import load_settings
from app.settings.model import Settings
from deploy.checks.support.assertions.parts import container, pod, variables
from deploy.checks.support.cases import DECLARED_ELSEWHERE
from deploy.checks.support.render import Manifest, of_kind

#: Ends of the names of variables that hold the path of a file.
FILES: Final = ("_FILE", "_CAFILE", "_CERTFILE", "_KEYFILE")
#: What a file has in it that a setting names.
_CONTENT: Final = "not empty"


def settings_of(manifests: list[Manifest]) -> Settings:
    """The settings that the first worker reads. Raises ConfigError as it would."""
    found = variables(manifests)
    with tempfile.TemporaryDirectory() as folder:
        for name in found:
            if name.endswith(FILES):
                path = Path(folder, name)
                path.write_text(_CONTENT)
                found[name] = str(path)
        return load_settings(found).with_declared_inputs(_declared(manifests))


def _declared(manifests: list[Manifest]) -> tuple[str, ...]:
    """Input topics that the rules declare: those given, or those kept elsewhere."""
    for each in of_kind(manifests, "ConfigMap"):
        if "rules.yaml" in each.get("data", {}):
            return tuple(yaml.safe_load(each["data"]["rules.yaml"]).get("events", {}))
    return DECLARED_ELSEWHERE


def settings_if_right(manifests: list[Manifest]) -> Settings | None:
    """The same; None when they are wrong, which ``problems_settings`` says."""
    try:
        return settings_of(manifests)
    except ConfigError:
        return None


def problems_settings(manifests: list[Manifest]) -> Iterator[str]:
    """All variables are known to the worker, right, and do not contradict each other."""
    try:
        settings = settings_of(manifests)
    except ConfigError as exc:
        yield str(exc)
        return
    if settings.log_format != "json":
        yield f"TRIGGER_LOG_FORMAT: {settings.log_format}"
    if settings.web_host in ("127.0.0.1", "localhost"):
        yield f"TRIGGER_WEB_HOST: {settings.web_host}: no probe reaches it"


def problems_rules(manifests: list[Manifest]) -> Iterator[str]:
    """The rules are a whole folder from a ConfigMap, and nothing restarts when they change."""
    found = variables(manifests)
    volumes = {each["name"]: each for each in pod(manifests)["spec"]["volumes"]}
    mounts = {each["mountPath"]: each for each in container(manifests)["volumeMounts"]}
    for variable in ("TRIGGER_RULES", "TRIGGER_SHADOW"):
        if variable not in found:
            continue
        path = Path(found[variable])
        mount = mounts.get(str(path.parent), {})
        source = volumes.get(mount.get("name", ""), {}).get("configMap", {})
        if "subPath" in mount or "name" not in source:
            yield f"{variable}: {path} does not follow a ConfigMap: {mount}, {source}"
            continue
        for each in of_kind(manifests, "ConfigMap"):
            if each["metadata"]["name"] == source["name"] and path.name not in each["data"]:
                yield f"{variable}: {source['name']} has no {path.name}"
            elif each["metadata"]["name"] == source["name"]:
                yield from _refused(path.name, each["data"][path.name])
    for name in pod(manifests)["metadata"].get("annotations", {}):
        if "checksum" in name or "hash" in name:
            yield f"annotation {name}: a change of rules would restart every worker"


@cache
def _refused(name: str, content: str) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_text(content)
        try:
            load_rules(path)
        except ConfigError as exc:
            return (str(exc),)
    return ()
