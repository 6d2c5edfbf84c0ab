"""Commit units of several partitions, and what else the event loop has to do."""

import asyncio
from pathlib import Path
from typing import Final

import pytest

from app.live.partition.context import Pace
from app.live.partition.loop_turn import LoopTurn
from tests.unit.live.partition.one_worker import Worker, World
from tests.unit.live.partition.test_processor import RULES, T0

PARTITIONS: Final = "abc"
MOST_S: Final = 0.1


async def _turns(unit_s: float, units: int) -> list[str]:
    """The partitions that had a unit in each turn of the loop."""
    turn, seen = LoopTurn(), [""]

    async def run(partition: str) -> None:
        for _ in range(units):
            await turn.has_time(MOST_S)
            seen[-1] += partition
            turn.took(unit_s)
            await asyncio.sleep(0)

    async def count_turns() -> None:
        while True:
            seen.append("")
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    await asyncio.gather(*map(run, PARTITIONS))
    counting.cancel()
    return [each for each in seen if each]


@pytest.mark.parametrize(("unit_s", "most"), [(0.5, 1), (0.06, 2), (0.001, len(PARTITIONS))])
def test_a_turn_ends_after_a_long_unit(unit_s: float, most: int) -> None:
    """Or some that are as long together; all partitions come in turn."""
    turns = asyncio.run(_turns(unit_s, 4))
    assert max(map(len, turns)) == most
    assert sorted("".join(turns)) == sorted(PARTITIONS * 4)
    assert set("".join(turns)[: len(PARTITIONS)]) == set(PARTITIONS)


def test_partitions_that_wait_for_each_other_handle_everything(tmp_path: Path) -> None:
    made = World(tmp_path / "state", T0, partitions=len(PARTITIONS))
    customer_ids = [f"customer-{number}" for number in range(9)]
    for number in range(10):
        for customer_id in customer_ids:
            made.publish("orders", customer_id, "cart_updated", T0 + number, {"cart_id": "k"})
    pace = Pace(unit_records=2, turn_s=0.0)
    assert Worker(made, RULES, pace=pace).run(Worker.is_at_rest).failure is None
    assert [made.customer(each).counts["cart_updated"] for each in customer_ids] == [10] * 9
