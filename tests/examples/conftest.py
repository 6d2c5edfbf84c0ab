"""Who decides: what is worked out by hand must hold for the oracle and for the engine."""

from typing import Any

import pytest

from tests.examples.test_triggers import Run
from tests.oracle import engine, oracle


def run_engine(*args: Any, **options: Any) -> list[dict[str, Any]]:
    """The engine's decisions alone."""
    return engine.run_engine(*args, **options)[0]


@pytest.fixture(params=[oracle.run, run_engine], ids=["oracle", "engine"])
def run(request: pytest.FixtureRequest) -> Run:
    """Both must say what the contract says."""
    decide: Run = request.param
    return decide
