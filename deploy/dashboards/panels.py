"""What dashboards are put together from: panels, rows of them, variables.

Everything here returns Grafana's own JSON, as values. Sizes are in Grafana's grid, 24 wide; a panel
says how wide and high it is, ``dashboard`` says where it goes.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]

FOLDER: Final = Path(__file__).parent

_WIDTH: Final = 24
#: of Grafana 11; newer ones migrate it when they load it
_SCHEMA_VERSION: Final = 39
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def query(promql: str, legend: str = "", *, instant: bool = False) -> Json:
    """One PromQL query of a panel; ``legend`` as in ``{{topic}}``."""
    return {
        "datasource": _SOURCE,
        "editorMode": "code",
        "expr": " ".join(promql.split()),
        "legendFormat": legend or "__auto",
        "instant": instant,
        "range": not instant,
    }


def graph(
    title: str,
    *queries: Json,
    unit: str = "short",
    about: str = "",
    stacked: bool = False,
    width: int = 8,
    limit: float | None = None,
) -> Json:
    """Lines over time. ``limit`` draws what an alert or objective asks for."""
    custom: Json = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 40 if stacked else 5}
    if stacked:
        custom["stacking"] = {"mode": "normal", "group": "A"}
    if limit is not None:
        custom["thresholdsStyle"] = {"mode": "line"}
    return _panel("timeseries", title, queries, unit, about, width, 8, custom, limit) | {
        "options": {
            "legend": {
                "displayMode": "table",
                "placement": "bottom",
                "showLegend": True,
                "calcs": ["lastNotNull", "max"],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    }


def number(
    title: str,
    promql: str,
    *,
    unit: str = "short",
    about: str = "",
    width: int = 4,
    limit: float | None = None,
    low_is_bad: bool = False,
) -> Json:
    """One figure, as of now; red beyond ``limit``."""
    queries = [query(promql, instant=True)]
    return _panel("stat", title, queries, unit, about, width, 4, {}, limit, low_is_bad) | {
        "options": {
            "colorMode": "value" if limit is None else "background",
            "graphMode": "none",
            "justifyMode": "auto",
            "textMode": "auto",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        }
    }


def ranking(
    title: str, promql: str, legend: str, *, unit: str, about: str = "", width: int = 8
) -> Json:
    """Bars as of now, one for each series, the longest first."""
    queries = [query(f"sort_desc({promql})", legend, instant=True)]
    return _panel("bargauge", title, queries, unit, about, width, 8, {}, None) | {
        "options": {
            "displayMode": "basic",
            "orientation": "horizontal",
            "showUnfilled": True,
            "valueMode": "color",
            "minVizHeight": 12,
            "minVizWidth": 0,
            "namePlacement": "auto",
            "sizing": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        }
    }


def row(title: str) -> Json:
    """A heading over the panels that follow."""
    return {"type": "row", "title": title, "collapsed": False, "panels": []}


def variable(name: str, label: str, promql: str) -> Json:
    """Choices from Prometheus, all of them to begin with."""
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": _SOURCE,
        "query": {
            "qryType": 1,
            "query": promql,
            "refId": "PrometheusVariableQueryEditor-VariableQuery",
        },
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def dashboard(
    uid: str,
    title: str,
    about: str,
    parts: Iterable[Json],
    *,
    variables: Sequence[Json],
    period: str,
    other: tuple[str, str],
) -> Json:
    """A dashboard that shows ``period`` (as in ``6h``); ``other`` is (uid, title) of its sister."""
    source = {
        "type": "datasource",
        "name": "datasource",
        "label": "Prometheus",
        "query": "prometheus",
        "refresh": 1,
        "current": {"selected": True, "text": "default", "value": "default"},
    }
    return {
        "uid": uid,
        "title": title,
        "description": about,
        "tags": ["triggers"],
        "schemaVersion": _SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "1m",
        "time": {"from": f"now-{period}", "to": "now"},
        "templating": {"list": [source, *variables]},
        "annotations": {"list": []},
        "links": [
            {
                "type": "link",
                "title": other[1],
                "url": f"/d/{other[0]}",
                "icon": "dashboard",
                "tooltip": "",
                "tags": [],
                "asDropdown": False,
                "targetBlank": False,
                "includeVars": False,
                "keepTime": True,
            }
        ],
        "panels": _placed(parts),
    }


def written(dashboard: Mapping[str, Any]) -> str:
    """The file's text."""
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"


def _panel(
    kind: str,
    title: str,
    queries: Sequence[Json],
    unit: str,
    about: str,
    width: int,
    height: int,
    custom: Json,
    limit: float | None,
    low_is_bad: bool = False,
) -> Json:
    good, bad = ("red", "green") if low_is_bad else ("green", "red")
    steps: list[Json] = [{"color": good, "value": None}]
    if limit is not None:
        steps.append({"color": bad, "value": limit})
    defaults: Json = {"unit": unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if custom:
        defaults["custom"] = custom
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": _SOURCE,
        "gridPos": {"w": width, "h": height, "x": 0, "y": 0},
        "targets": [
            each | {"refId": chr(ord("A") + number)} for number, each in enumerate(queries)
        ],
        "fieldConfig": {"defaults": defaults, "overrides": []},
    }


def _placed(parts: Iterable[Json]) -> list[Json]:
    """Number the panels and lay them out from left to right, top to bottom."""
    placed, numbers = [], count(1)
    x = y = line_height = 0
    for part in parts:
        size = part.get("gridPos", {"w": _WIDTH, "h": 1})
        if x + size["w"] > _WIDTH:
            x, y, line_height = 0, y + line_height, 0
        place = {"x": x, "y": y, "w": size["w"], "h": size["h"]}
        placed.append({"id": next(numbers), **part, "gridPos": place})
        x, line_height = x + size["w"], max(line_height, size["h"])
    return placed
