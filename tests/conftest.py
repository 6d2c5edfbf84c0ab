"""What a run says at its end, whichever of its processes found it out."""

import pytest
from xdist.workermanage import WorkerController

from tests.fault import table
from tests.kafka import wanted

_MISSED = "kafka_missed"
_FAULTS = "faults"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of several tells the one that reports."""
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_MISSED] = wanted.missed
        output[_FAULTS] = [tuple(row) for row in table.rows]


def pytest_testnodedown(node: WorkerController) -> None:
    """Hear what that process tells."""
    output = getattr(node, "workeroutput", {})
    wanted.missed = wanted.missed or output.get(_MISSED)
    table.rows += [table.Row(*row) for row in output.get(_FAULTS, [])]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What each fault did and what was counted; and nobody overlooks that the tests ran on the
    embedded broker alone.
    """
    if table.rows:
        terminalreporter.section("faults")
        for line in table.lines():
            terminalreporter.line(line)
    if wanted.missed:
        terminalreporter.section("NOT TESTED ON APACHE KAFKA", sep="!", red=True, bold=True)
        terminalreporter.line(f"{wanted.missed}. Only the embedded broker was used.", red=True)
