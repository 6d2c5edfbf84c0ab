"""Dashboards: as generated, as Grafana's types want them, every query read by promtool."""

import shutil
from collections.abc import Iterator

from deploy.checks.support.place import Place
from deploy.checks.support.results import Result, judged, skipped
from deploy.monitoring import dashboards


def run(place: Place) -> Iterator[Result]:
    """One row for the files, then two for each dashboard."""
    yield judged("the JSON is what the code says", dashboards.outdated())
    for name in dashboards.DASHBOARDS:
        queries = f"{len(dashboards.queries(name))} queries"
        yield judged(f"{name}: Grafana's types", dashboards.misfits(name))
        if shutil.which("promtool") is None:
            yield skipped(
                f"{name}: PromQL", "promtool is not installed: apt-get install prometheus"
            )
        else:
            yield judged(f"{name}: PromQL", dashboards.unparsable(name), queries)


def write(place: Place) -> None:
    """Generate the JSON."""
    for name, dashboard in dashboards.DASHBOARDS.items():
        dashboards.path(name).write_text(dashboards.written(dashboard))
