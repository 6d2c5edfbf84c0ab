"""Which tests a run selects, what it leaves running, and what it says at its end."""

import signal
from collections import Counter
from collections.abc import Iterable
from typing import Final

import psutil
import pytest
from xdist.workermanage import WorkerController

from tests import needs
from tests.effort import SLOW, SOAK, register_profiles, selection
from tests.fault import table

register_profiles()

_MISSING: Final = "missing_needs"
#: Characters of the reason that is said at once; all of it comes at the end.
_LONGEST_REASON: Final = 1_000
_LEFT_OUT: Final = pytest.StashKey[Counter[str]]()
#: Fixtures that start an Apache Kafka; the parameter of that name asks ``broker`` for one.
_KAFKA_FIXTURES: Final = frozenset({"kafka", "cluster"})
_NEEDS_KAFKA: Final = "needs_kafka"


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Several processes share the tests by files, as brokers and other fixtures are shared."""
    if config.option.numprocesses and config.option.dist == "no":
        config.option.dist = "loadfile"


def pytest_configure(config: pytest.Config) -> None:
    """Select by marks, unless single tests are named.

    A shell has Ctrl-C ignored in what it starts in the background, and so would all processes that
    tests start: here it is heard again.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(FailuresAtOnce(config))
    asked = config.option.markexpr
    if not asked and config.args and all("::" in arg for arg in config.args):
        asked = f"not {SOAK}"
    config.option.markexpr = selection(asked)


class FailuresAtOnce:
    """Says in a few lines what failed when it fails: a long run may be ended before its end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and reporter is not None:
            crash = getattr(report.longrepr, "reprcrash", None)
            reason = crash.message if crash is not None else report.longreprtext
            reporter.ensure_newline()
            reporter.line(f"FAILED after {report.duration:.0f} s: {report.nodeid}", red=True)
            reporter.line(reason[:_LONGEST_REASON])


def pytest_itemcollected(item: pytest.Item) -> None:
    """Whatever runs on Apache Kafka needs it, and takes minutes."""
    fixtures = frozenset(getattr(item, "fixturenames", ()))
    callspec = getattr(item, "callspec", None)
    broker = callspec.params.get("broker") if callspec is not None else None
    if broker == "kafka" or (broker is None and fixtures & _KAFKA_FIXTURES):
        item.add_marker(_NEEDS_KAFKA)
        item.add_marker(SLOW)


def pytest_deselected(items: Iterable[pytest.Item]) -> None:
    """Count what the marks leave out."""
    for item in items:
        counts = item.config.stash.setdefault(_LEFT_OUT, Counter())
        counts[SOAK if item.get_closest_marker(SOAK) else SLOW] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what tests have left running; a process of several tells the one that reports."""
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_MISSING] = needs.missing
        output[SLOW], output[SOAK] = _left_out(session.config)
    if not hasattr(session.config, "workerinput") and session.config.option.numprocesses:
        return
    for process in psutil.Process().children(recursive=True):
        process.kill()


def pytest_testnodedown(node: WorkerController) -> None:
    """Hear what that process tells."""
    output = getattr(node, "workeroutput", {})
    needs.missing.update(output.get(_MISSING, {}))
    counts = node.config.stash.setdefault(_LEFT_OUT, Counter())
    for name in (SLOW, SOAK):  # each process has collected the same tests
        counts[name] = max(counts[name], output.get(name, 0))


def _left_out(config: pytest.Config) -> tuple[int, int]:
    counts = config.stash.get(_LEFT_OUT, Counter())
    return counts[SLOW], counts[SOAK]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """What the fault suite counted, then what was not tested and how to test it."""
    table.show(terminalreporter)
    slow, soak = _left_out(config)
    lines = [f"needs {need}: {why}. {needs.REMEDIES[need]}" for need, why in needs.missing.items()]
    if slow:
        lines.append(f"{slow} slow tests (Apache Kafka, Prometheus, browser, statistics):")
        lines.append('    pytest -n4 -m "not soak" --hypothesis-profile=ci')
    if soak:
        lines.append(f"{soak} soaks (processes and brokers are killed for minutes):")
        lines.append("    pytest -n4 -m soak")
    if lines:
        terminalreporter.section("NOT TESTED", sep="!", red=bool(needs.missing), bold=True)
        for line in lines:
            terminalreporter.line(line, red=line.startswith("needs"))
