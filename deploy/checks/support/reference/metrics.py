"""Metrics: every row of the table that a worker serves."""

from typing import Final

from app.live.telemetry.specs import SPECS
from deploy.checks.support.reference.markdown import code, table

_HEAD: Final = """\
# Metrics

`/metrics` on the web port. Labels are names of the rules and bounded sets, never customers. With
`TRIGGER_METRICS_DETAIL=total` the `trigger` label is empty, and alerts and panels about single
triggers are about all of them together. What the rules can lead to stands at 0
from the start. Beside these there are Python's and the process's (`process_*`).

"""


def metrics() -> str:
    """The page."""
    return _HEAD + table(
        ("metric", "kind", "labels", ""),
        (
            (code(each.name), each.kind, ", ".join(map(code, each.labels)), each.help)
            for each in SPECS
        ),
    )
