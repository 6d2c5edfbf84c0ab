"""What every run says at its end."""

import signal

import pytest
from xdist.workermanage import WorkerController

from tests.fault import table
from tests.kafka import wanted

_MISSED = "kafka_missed"


def pytest_configure(config: pytest.Config) -> None:
    """Soaks are left out of a run that names neither a path nor a mark: they have ``-m soak``.

    A shell has Ctrl-C ignored in what it starts in the background, and so would all processes that
    tests start: here it is heard again.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    is_asked = config.args_source is pytest.Config.ArgsSource.ARGS or config.option.markexpr
    if not is_asked:
        config.option.markexpr = "not soak"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of several tells the one that reports."""
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_MISSED] = wanted.missed


def pytest_testnodedown(node: WorkerController) -> None:
    """Hear what that process tells."""
    output = getattr(node, "workeroutput", {})
    wanted.missed = wanted.missed or output.get(_MISSED)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the fault suite counted; and nobody overlooks that tests ran on the embedded broker
    alone.
    """
    table.show(terminalreporter)
    if wanted.missed:
        terminalreporter.section("NOT TESTED ON APACHE KAFKA", sep="!", red=True, bold=True)
        terminalreporter.line(f"{wanted.missed}. Only the embedded broker was used.", red=True)
