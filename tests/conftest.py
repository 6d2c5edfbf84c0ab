"""What every run says about the broker it could not use."""

import pytest

from tests.kafka import wanted


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Nobody overlooks that the tests ran on the embedded broker alone."""
    if wanted.missed:
        terminalreporter.section("NOT TESTED ON APACHE KAFKA", sep="!", red=True, bold=True)
        terminalreporter.line(f"{wanted.missed}. Only the embedded broker was used.", red=True)
