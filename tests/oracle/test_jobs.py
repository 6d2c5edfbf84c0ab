"""A backtest in several processes leaves the bytes that one process leaves."""

from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backtest.clock import DEFAULT_GRACE_MS, Outage
from app.backtest.output import OutputFolder
from app.backtest.parallel.merges import find_merges, joined, without_merges
from app.backtest.parallel.shard import BatchSizes
from app.backtest.run import BacktestResult, run_backtest
from app.core.errors import ConfigError
from tests.effort import examples
from tests.examples.test_triggers import PROFILE, START, event, rules
from tests.oracle.engine import compiled_rules
from tests.oracle.strategies import Scenario, scenarios, with_merges


def left_by(
    jobs: int, scenario: Scenario, batch_sizes: BatchSizes
) -> tuple[BacktestResult, dict[str, bytes]]:
    """What a run says and the files it leaves."""
    lines = [orjson.dumps(line) for line in scenario.lines]
    with TemporaryDirectory() as name:
        folder = Path(name)
        with OutputFolder(folder) as output:
            ran = run_backtest(
                compiled_rules(scenario.rules),
                [lines],
                folder,
                output,
                jobs=jobs,
                until_ms=scenario.until_ms,
                grace_ms=DEFAULT_GRACE_MS,
                outage=Outage(*scenario.outage) if scenario.outage else None,
                batch_sizes=batch_sizes,
                merges=list(find_merges(lines)),
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


@examples(40)
@given(scenario=with_merges(), jobs=st.sampled_from([2, 3]))
def test_merges_are_the_same_in_several_processes(scenario: Scenario, jobs: int) -> None:
    """Customers that merges connect are decided for by one process."""
    batch_sizes = BatchSizes()
    assert left_by(jobs, scenario, batch_sizes) == left_by(1, scenario, batch_sizes)


@pytest.mark.parametrize("outage", [None, (START + 1000, START + 60_000)])
def test_a_step_is_written_behind_the_one_whose_send_it_follows(
    outage: tuple[int, int] | None,
) -> None:
    """Decided at once with it, it comes before what other customers have due at the same time."""
    steps = [
        {"after": "5s", "template": "first", "channels": ["email"]},
        {"from": {"step": 0, "on": "sent"}, "after": 0, "template": "next", "channels": ["email"]},
    ]
    left = {
        "kind": "abandonment",
        "start": ["cart_updated"],
        "key": "cart_id",
        "steps": steps,
    }
    lines = [
        one | {"customer_id": who}
        for who in ("ann", "bob", "cyd", "dan")
        for one in (PROFILE, event("cart_updated", START, cart_id="k"))
    ]
    scenario = Scenario(
        rules=rules(left=left), lines=tuple(lines), until_ms=START + 120_000, outage=outage
    )
    one, several = (left_by(jobs, scenario, BatchSizes()) for jobs in (1, 3))
    steps_decided = [orjson.loads(line)["step"] for line in one[1]["decisions.jsonl"].splitlines()]
    assert steps_decided == [0, 1] * 4
    assert several == one


def test_all_that_merges_connect_has_one_name() -> None:
    """A chain, a circle and a fork are one; what is apart stays apart."""
    names = joined([("a", "b"), ("c", "b"), ("c", "a"), ("x", "y")], str)
    assert len({names[one] for one in "abc"}) == 1
    assert names["x"] == names["y"] != names["a"]


def test_a_merge_that_is_known_too_late_is_refused() -> None:
    """Of a pipe: the text names the line and what to do."""
    merge = {
        "topic": "profiles",
        "event_id": "m",
        "type": "customer_merged",
        "customer_id": "a",
        "occurred_at": 0,
        "data": {"into": "b"},
    }
    with pytest.raises(ConfigError, match=r"a pipe, line 2: .* use --jobs 1"):
        list(without_merges([b"", orjson.dumps(merge)], "a pipe"))
