"""Runbook: its links lead somewhere, its triggers commands are ones that exist."""

from collections.abc import Iterator

from deploy.checks.support.place import Place
from deploy.checks.support.results import Result, judged
from deploy.monitoring import runbook


def run(place: Place) -> Iterator[Result]:
    """Two rows; that every alert has its section is seen with the alerts."""
    yield judged("links", runbook.dead_links(), f"{len(runbook.anchors(runbook.RUNBOOK))} sections")
    found = list(runbook.commands())
    yield judged("commands", runbook.unknown_commands(), f"{len(found)} lines")
