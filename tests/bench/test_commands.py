"""Each benchmark on next to nothing: it runs, and its figures are figures; no times."""

import json
from typing import Any

import pytest

from tests.bench.command import run

pytestmark = pytest.mark.slow

_FEW = ("--events", "400", "--customers", "40")


def figures(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, timeout_s=900).stdout)
    return found


@pytest.mark.parametrize("what", ["backtest", "worker"])
def test_cpu_per_event(what: str) -> None:
    """Of the engine over a broker, and without one."""
    found = figures("tests.bench", what, *_FEW)
    assert found["host"] == what
    assert found["cpu_us_per_event"] > 0
    assert found["decisions_per_event"] > 0


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_profile(guarantee: str) -> None:
    """Every layer that the guarantee has takes some of the time."""
    many = ("--events", "20000", "--customers", "40")
    found = figures("tests.bench", "profile", "--guarantee", guarantee, *many)
    for layer in ("decode", "load", "decide", "encode", "produce", "store", "commit", "all"):
        assert found[layer] > 0, found


def test_timers() -> None:
    """In a database alone, and in a worker."""
    small = ("--pending", "2000", "--burst", "200", "--live", "200")
    assert figures("tests.bench", "timers", *small)["fired_per_cpu_s"] > 0


def test_state_on_disk() -> None:
    """What the capacity figures of the runbook start from."""
    found = figures("tests.bench.state", "--customers", "200", "--events-each", "3")
    assert found["entry_bytes_mean"] > 0 < found["disk_bytes_each"]
