"""The dashboards as files: what Grafana would take, generated from what is in the repository."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.monitoring import dashboards
from deploy.monitoring.grafana import problems
from tests.process.prometheus import require_prometheus

FILES: Final = [dashboards.path(name) for name in dashboards.DASHBOARDS]


def test_the_files_are_as_generated() -> None:
    """The JSON was not edited by hand, and ``python -m deploy.dashboards`` was run."""
    assert dashboards.outdated() == []


@pytest.mark.parametrize("name", dashboards.DASHBOARDS)
def test_grafana_knows_every_field_and_its_type(name: str) -> None:
    """Each dashboard has fields and values that the types of Grafana's SDK allow."""
    assert dashboards.misfits(name) == []


@pytest.mark.needs_prometheus
@pytest.mark.parametrize("name", dashboards.DASHBOARDS)
def test_promtool_reads_every_query(name: str) -> None:
    """No query is malformed, and none has a variable that the dashboard does not define."""
    require_prometheus()
    assert dashboards.unparsable(name) == []


def test_a_wrong_field_or_type_is_found() -> None:
    """The check is not blind: unknown names, wrong types and values that are none of a choice."""
    good: dict[str, Any] = json.loads(FILES[0].read_text())
    cases: list[tuple[str, Any, str]] = [
        ("titel", "x", ".titel"),
        ("title", 5, ".title"),
        ("graphTooltip", 7, ".graph_tooltip"),
        ("tags", "triggers", ".tags"),
    ]
    for field, value, place in cases:
        assert any(each.startswith(place) for each in problems(good | {field: value})), field
    changes: list[tuple[Callable[[Any], None], str]] = [
        (lambda panel: panel.update(datsource={}), ".panels[1].datsource"),
        (lambda panel: panel["options"].update(colorMode="loud"), ".panels[1].options.color_mode"),
        (lambda panel: panel["gridPos"].update(w="wide"), ".panels[1].grid_pos.w"),
        (lambda panel: panel["targets"][0].update(expr=5), ".panels[1].targets[0].expr"),
    ]
    for change, place in changes:
        bad = copy.deepcopy(good)
        change(bad["panels"][1])
        assert any(each.startswith(place) for each in problems(bad)), place


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_lie_side_by_side(path: Path) -> None:
    """Numbers are unique, nothing overlaps or sticks out, every panel asks something."""
    dashboard = json.loads(path.read_text())
    taken: set[tuple[int, int]] = set()
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers) > 20
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["targets"], panel["title"]
