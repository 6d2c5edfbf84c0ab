"""One backtest from the arrivals to its folder, in this process or in several."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol, TypedDict

import msgspec

from app.backtest.clock import Outage
from app.backtest.history import (
    Found,
    arrived_before,
    first_arrival_ms,
    merge_arrivals,
)
from app.backtest.history_review import HistoryReview
from app.backtest.one_process import OneProcess
from app.backtest.output import OutputFolder
from app.backtest.parallel.merges import Merge
from app.backtest.parallel.shard import BATCH_SIZES, BatchSizes
from app.backtest.parallel.shards import Shards
from app.backtest.rates import DEFAULT_PARTITIONS
from app.backtest.saved_run import save_run
from app.core.rules.model import Rules
from app.core.time.instants import END_OF_TIME_MS


class BacktestResult(msgspec.Struct, frozen=True):
    """What became of the records, of those that were only learned from, and how many customers
    there are at the end.
    """

    counts: Counter[str]
    learned: Counter[str]
    customers: int


class Deciders(Protocol[Found]):
    """The processes that decide: this one (``OneProcess``) or several (``Shards``)."""

    @property
    def counts(self) -> Counter[str]: ...
    @property
    def learned(self) -> Counter[str]: ...
    @property
    def customers(self) -> int: ...
    @property
    def now_ms(self) -> int | None: ...
    def read(
        self, lines: Iterable[bytes], review: HistoryReview | None = None
    ) -> Iterator[Found]: ...
    def learn(self, arrivals: Iterable[Found], from_ms: int) -> None: ...
    def run(self, arrivals: Iterable[Found], *, until_ms: int | None = None) -> None: ...
    def written_customers(self) -> Iterator[bytes]: ...


class _Options(TypedDict):
    grace_ms: int
    outage: Outage | None
    partitions: int


def run_backtest(
    rules: Rules,
    files: Iterable[Iterable[bytes]],
    folder: Path,
    output: OutputFolder,
    *,
    jobs: int,
    until_ms: int | None,
    grace_ms: int,
    outage: Outage | None,
    partitions: int = DEFAULT_PARTITIONS,
    batch_sizes: BatchSizes = BATCH_SIZES,
    reviews: Sequence[HistoryReview] = (),
    state: Sequence[Iterable[bytes]] = (),
    merges: Sequence[Merge] = (),
) -> BacktestResult:
    """Fill the folder from the lines of each file; how many processes do it changes no byte.

    ``reviews`` look at the files in their order; the report shows what they find.
    ``state`` is a history from before: its events are known, and nothing that falls due before the
    first arrival of ``files`` is decided. ``merges`` are all of both: several processes have to
    know them before the first line.
    """
    reviewed = list(zip_longest(files, reviews))
    options: _Options = {"grace_ms": grace_ms, "outage": outage, "partitions": partitions}
    with ExitStack() as stack:
        deciders: Deciders[Any] = (
            OneProcess(rules, output, **options)
            if jobs == 1
            else stack.enter_context(
                Shards(jobs, rules, output, batch_sizes=batch_sizes, merges=merges, **options)
            )
        )
        _decide(deciders, reviewed, state, until_ms)
        result = BacktestResult(deciders.counts, deciders.learned, deciders.customers)
        save_run(folder, rules, deciders.now_ms, deciders.written_customers())
    remarks = [remark for review in reviews for remark in review.remarks()]
    output.write_report(rules, result.counts, result.customers, remarks)
    return result


def _decide(
    deciders: Deciders[Found],
    reviewed: Iterable[tuple[Iterable[bytes], HistoryReview | None]],
    state: Sequence[Iterable[bytes]],
    until_ms: int | None,
) -> None:
    arrivals = merge_arrivals([deciders.read(*file) for file in reviewed])
    if state:
        from_ms, arrivals = _start(arrivals)
        before = merge_arrivals([deciders.read(lines) for lines in state])
        deciders.learn(arrived_before(before, from_ms), from_ms)
    deciders.run(arrivals, until_ms=until_ms)


def _start(arrivals: Iterator[Found]) -> tuple[int, Iterator[Found]]:
    """When deciding begins, and the arrivals still to read."""
    first_ms, arrivals = first_arrival_ms(arrivals)
    return END_OF_TIME_MS if first_ms is None else first_ms, arrivals
