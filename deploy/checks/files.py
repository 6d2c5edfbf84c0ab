"""The chart's files from elsewhere: rules, alerts, dashboards, topics, schema and README.

Helm reads files inside the chart only. ``deploy/check --write files`` brings them up to date: the
copies, the settings and topics in values.schema.json, and README.md out of values.yaml.
"""

import json
from collections.abc import Iterator

import yaml

from app.kafka.topic_specs import TopicSpec, needed
from app.settings.model import Settings
from deploy.checks.support.chart_values import chart_readme, undescribed, with_settings
from deploy.checks.support.place import Place
from deploy.checks.support.results import Result, judged, skipped

_HEADER = "# Written by deploy/check --write from {source}. Change that instead.\n"
_FOLDER = "chart/files"
_STALE = "not up to date: run deploy/check --write files"


def run(place: Place) -> Iterator[Result]:
    """One row a file, and one for files that should not be there."""
    wanted = _wanted(place)
    folder = place.deploy / _FOLDER
    for name, content in wanted.items():
        path = folder / name
        found = path.read_text() if path.exists() else None
        problem = [] if found == content else [_STALE]
        yield judged(f"deploy/{_FOLDER}/{name}", problem, f"{len(content)} characters")
    if "alerts.yaml" not in wanted:
        yield skipped("alert rules", "there is no deploy/prometheus/rules.yaml")
    for name, content in _described(place).items():
        problem = [] if (place.deploy / name).read_text() == content else [_STALE]
        yield judged(f"deploy/{name}", problem, f"{len(content)} characters")
    values = (place.deploy / "chart" / "values.yaml").read_text()
    yield judged("every value has a comment", undescribed(values))
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    yield judged(
        "nothing else in the chart's files",
        [f"{name}: comes from nowhere" for name in sorted(there - wanted.keys())],
    )


def write(place: Place) -> None:
    """Make the copies what they should be."""
    wanted = _wanted(place)
    folder = place.deploy / _FOLDER
    for path in folder.rglob("*"):
        if path.is_file() and str(path.relative_to(folder)) not in wanted:
            path.unlink()
    for name, content in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for name, content in _described(place).items():
        (place.deploy / name).write_text(content)


def _described(place: Place) -> dict[str, str]:
    """Path under deploy -> content, of files that are partly or wholly written from elsewhere."""
    folder = place.deploy / "chart"
    schema = json.loads((folder / "values.schema.json").read_text())
    return {
        "chart/values.schema.json": json.dumps(with_settings(schema), indent=2) + "\n",
        "chart/README.md": chart_readme((folder / "values.yaml").read_text()),
    }


def _wanted(place: Place) -> dict[str, str]:
    """Path under the chart's files -> content."""
    deploy = place.deploy
    files = {"rules.yaml": (deploy / "rules.yaml").read_text(), "topics.yaml": _topics()}
    alerts = deploy / "prometheus" / "rules.yaml"
    if alerts.exists():
        files["alerts.yaml"] = _HEADER.format(source="deploy/prometheus/rules.yaml")
        files["alerts.yaml"] += alerts.read_text()
    for path in sorted((deploy / "dashboards").glob("*.json")):
        files[f"dashboards/{path.name}"] = path.read_text()
    return files


def _topics() -> str:
    """What the engine needs of each topic, under names that do not depend on settings."""
    lines = [_line(need) for need in needed(Settings())]
    text: str = yaml.safe_dump({"topics": lines}, sort_keys=False)
    return _HEADER.format(source="app/settings/topics.py") + text


def _line(need: TopicSpec) -> dict[str, object]:
    return {
        "name": need.logical,
        "isInternal": need.role == "internal",
        "isInput": need.role == "input",
        "operations": list(need.operations),
        "config": need.config(1),
    }
