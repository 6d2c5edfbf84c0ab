"""The dashboards: as generated, as Grafana wants them, and asking what Prometheus understands."""

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from deploy.dashboards import business, operations
from deploy.dashboards.panels import FOLDER, written
from deploy.monitoring.alerts import promtool
from deploy.monitoring.grafana import problems

DASHBOARDS: Final = {"business": business.DASHBOARD, "operations": operations.DASHBOARD}

#: What Grafana puts in the place of its variables: everything, over about an hour.
VARIABLES: Final = {"$job": ".*", "$trigger": ".*", "$__rate_interval": "1m", "$__range": "1h"}
_LEFT: Final = re.compile(r"\$\w+")


def path(name: str) -> Path:
    """Where the dashboard's JSON is."""
    return FOLDER / f"{name}.json"


def outdated() -> list[str]:
    """Files that are not what the code says, and files that come from nowhere."""
    stale = [
        f"{path(name).name}: run python -m deploy.dashboards"
        for name, dashboard in DASHBOARDS.items()
        if not path(name).exists() or path(name).read_text() != written(dashboard)
    ]
    unknown = {each.stem for each in FOLDER.glob("*.json")} - DASHBOARDS.keys()
    return stale + [f"{name}.json: comes from nowhere" for name in sorted(unknown)]


def misfits(name: str) -> list[str]:
    """What Grafana's types say against the file."""
    return problems(json.loads(path(name).read_text()))


def queries(name: str, variables: Mapping[str, str] = VARIABLES) -> list[tuple[str, str]]:
    """(panel, PromQL) of the file, with the variables filled in."""
    dashboard: dict[str, Any] = json.loads(path(name).read_text())
    return [
        (panel["title"], _filled(target["expr"], variables))
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]


def unparsable(name: str) -> list[str]:
    """Queries that promtool cannot read. Raises FileNotFoundError where there is none."""
    asked = queries(name)
    left = [f"{title}: {_LEFT.findall(each)} are not known" for title, each in asked if "$" in each]
    rules = [
        {"record": f"panel:query{number}", "expr": promql}
        for number, (_, promql) in enumerate(asked)
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "queries.yaml"
        with file.open("w") as out:
            YAML(typ="safe", pure=True).dump({"groups": [{"name": name, "rules": rules}]}, out)
        return left + promtool("check", "rules", file)


def _filled(promql: str, variables: Mapping[str, str]) -> str:
    for name in sorted(variables, key=len, reverse=True):
        promql = promql.replace(name, variables[name])
    return promql
