"""A backtest in several processes leaves the bytes that one process leaves."""

from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.backtest.clock import DEFAULT_GRACE_MS, Outage
from app.backtest.output import OutputFolder
from app.backtest.parallel.shard import BatchSizes
from app.backtest.run import BacktestResult, run_backtest
from app.core.compile import compile_rules
from tests.effort import examples
from tests.oracle.strategies import Scenario, scenarios


def left_by(
    jobs: int, scenario: Scenario, batch_sizes: BatchSizes
) -> tuple[BacktestResult, dict[str, bytes]]:
    """What a run says and the files it leaves."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with OutputFolder(folder) as output:
            ran = run_backtest(
                compile_rules(dict(scenario.rules), version="test"),
                [[orjson.dumps(line) for line in scenario.lines]],
                folder,
                output,
                jobs=jobs,
                until_ms=scenario.until_ms,
                grace_ms=DEFAULT_GRACE_MS,
                outage=Outage(*scenario.outage) if scenario.outage else None,
                batch_sizes=batch_sizes,
            )
        return ran, {path.name: path.read_bytes() for path in folder.iterdir()}


@examples(40)
@given(
    scenario=scenarios(),
    jobs=st.sampled_from([2, 3]),
    batch_lines=st.sampled_from([1, 2, 7, 4096]),
    part_bytes=st.sampled_from([0, 2000, 1 << 20]),
)
def test_the_number_of_processes_changes_nothing(
    scenario: Scenario, jobs: int, batch_lines: int, part_bytes: int
) -> None:
    """Every file and every count, however lines and results are cut into messages."""
    batch_sizes = BatchSizes(batch_lines=batch_lines, part_bytes=part_bytes)
    assert left_by(jobs, scenario, batch_sizes) == left_by(1, scenario, batch_sizes)
