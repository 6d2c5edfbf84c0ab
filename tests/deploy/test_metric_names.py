"""Alerts and dashboards speak of metrics that exist: a renamed one is noticed here."""

import re
from pathlib import Path
from typing import Final

import pytest

from app.live.telemetry.gauges import GaugeSources, LiveGauges, PartitionFigures, RecoveryFigures
from app.live.telemetry.metrics import Metrics
from app.rules_file.load import load_rules
from app.settings.model import default_rules_path
from deploy.monitoring import alerts, dashboards

_NAME: Final = re.compile(r"(?<![:\w])(?:trigger|process)_\w+(?![\w:])")
_PART: Final = re.compile(r"_(bucket|count|sum)$")


def served() -> set[str]:
    """Names of the samples that a worker serves, those that come with the first event included."""
    metrics = Metrics()
    metrics.use_rules(load_rules(default_rules_path()))
    figures = PartitionFigures(0, 1, 1, 1, 1.0, {"orders": 0})
    ask = GaugeSources(
        lambda: True, lambda: RecoveryFigures(0.0, 0.0, 0), lambda: [figures], lambda: 0
    )
    metrics.registry.register(LiveGauges(ask, Path()))
    names = set()
    for family in metrics.registry.collect():
        names.add(family.name + ("_total" if family.type == "counter" else ""))
    return names


def spoken_of() -> dict[str, str]:
    """Metric -> where it is spoken of."""
    texts = {rule.get("alert") or rule["record"]: rule["expr"] for rule in alerts.rules()}
    for name in dashboards.DASHBOARDS:
        texts |= {f"{name}: {title}": promql for title, promql in dashboards.queries(name)}
    return {
        _PART.sub("", metric): place
        for place, promql in texts.items()
        for metric in _NAME.findall(re.sub(r'"[^"]*"', "", promql))
    }


def recorded() -> set[str]:
    return {rule["record"] for rule in alerts.rules() if "record" in rule}


@pytest.mark.parametrize("metric", sorted(spoken_of()))
def test_the_metric_is_served(metric: str) -> None:
    """Each name that alerts and dashboards use is one that a worker serves."""
    assert metric in served(), spoken_of()[metric]


def test_recorded_series_are_recorded() -> None:
    """What alerts and panels take from recording rules, these record."""
    texts = [rule["expr"] for rule in alerts.rules()]
    texts += [promql for name in dashboards.DASHBOARDS for _, promql in dashboards.queries(name)]
    used = {name for text in texts for name in re.findall(r"\bjob[\w]*:\w+:\w+", text)}
    assert used <= recorded()
