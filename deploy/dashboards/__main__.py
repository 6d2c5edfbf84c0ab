"""Writes the dashboards' JSON."""

from deploy.dashboards import business, operations
from deploy.dashboards.panels import FOLDER, written

for dashboard in (operations.DASHBOARD, business.DASHBOARD):
    path = FOLDER / f"{dashboard['uid'].removeprefix('triggers-')}.json"
    path.write_text(written(dashboard), encoding="utf-8")
    print(f"wrote {path}")
