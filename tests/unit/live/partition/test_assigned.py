"""Partitions that are released: their last units end before another worker may have them."""

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.live.partition import assigned
from app.live.partition.assigned import AssignedPartitions

#: Runs what a test does with the parts of a worker.
Run = Callable[[Callable[["Parts"], Coroutine[Any, Any, None]]], None]


class Processor:
    """Is at its last unit from ``end`` until the test lets it finish."""

    def __init__(self, partition: int, *_: object) -> None:
        self.partition = partition
        self.may_finish = asyncio.Event()
        self.is_ending = False

    async def run(self) -> None:
        await self.may_finish.wait()

    def end(self) -> None:
        self.is_ending = True


class Parts:
    """The assigned partitions of a worker over processors by hand."""

    def __init__(self) -> None:
        self.processors: list[Processor] = []
        self.forgotten: list[int] = []
        repartition = SimpleNamespace(report=lambda _: None, forget=self.forgotten.append)
        context: Any = SimpleNamespace(
            repartition=repartition, settings=SimpleNamespace(clock="wall")
        )
        self.assigned = AssignedPartitions(context, cast(Any, None), self._fail)

    def assign(self, *partitions: int) -> None:
        self.assigned.assign(partitions, cast(Any, lambda _: None))

    def made(self, *given: object) -> Processor:
        self.processors.append(Processor(*cast(Any, given)))
        return self.processors[-1]

    def _fail(self, error: BaseException) -> None:
        raise error


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(test: Callable[[Parts], Coroutine[Any, Any, None]]) -> None:
        async def with_parts() -> None:
            parts = Parts()
            monkeypatch.setattr(assigned, "PartitionProcessor", parts.made)
            await test(parts)

        asyncio.run(with_parts())

    return run


def test_a_revocation_waits_for_units_that_a_stop_has_begun_to_end(run: Run) -> None:
    """Two workers would write one changelog otherwise."""

    async def test(parts: Parts) -> None:
        parts.assign(0, 1)
        await asyncio.sleep(0)
        stop = asyncio.create_task(parts.assigned.release_all())
        await asyncio.sleep(0)
        revocation = asyncio.create_task(parts.assigned.partitions_revoked({0}))
        await asyncio.sleep(0)
        assert all(each.is_ending for each in parts.processors)
        assert not revocation.done()
        parts.processors[0].may_finish.set()
        await revocation
        assert not stop.done()
        parts.processors[1].may_finish.set()
        await stop
        assert sorted(parts.forgotten) == [0, 1]

    run(test)


def test_a_revocation_does_not_wait_for_other_partitions(run: Run) -> None:
    async def test(parts: Parts) -> None:
        parts.assign(0, 1)
        await asyncio.sleep(0)
        parts.processors[0].may_finish.set()
        await parts.assigned.partitions_revoked({0})
        assert parts.assigned.partitions == {1}
        assert not parts.processors[1].is_ending
        parts.processors[1].may_finish.set()
        await parts.assigned.release_all()

    run(test)


def test_a_worker_that_stops_begins_with_nothing(run: Run) -> None:
    """A recovery may end while it stops."""

    async def test(parts: Parts) -> None:
        await parts.assigned.release_all()
        parts.assign(0)
        assert parts.assigned.partitions == set()
        assert parts.processors == []

    run(test)
