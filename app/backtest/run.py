"""One backtest from the arrivals to its folder, in this process or in several."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TypedDict

import msgspec

from app.backtest.clock import Outage
from app.backtest.history import (
    Found,
    arrived_before,
    first_arrival_ms,
    merge_arrivals,
    read_arrivals,
)
from app.backtest.history_review import HistoryReview
from app.backtest.output import OutputFolder
from app.backtest.parallel.line_headers import read_headers
from app.backtest.parallel.merges import Merge
from app.backtest.parallel.shard import BATCH_SIZES, BatchSizes
from app.backtest.parallel.shards import Shards
from app.backtest.rates import DEFAULT_PARTITIONS
from app.backtest.replay import Replay
from app.backtest.saved_run import keep_run, written_customers
from app.core.rules.model import Rules
from app.core.time.instants import END_OF_TIME_MS


class BacktestResult(msgspec.Struct, frozen=True):
    """What became of the records, of those that were only learned from, and how many customers
    there are at the end.
    """

    counts: Counter[str]
    learned: Counter[str]
    customers: int


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

    ``reviews`` look at the files in their order; what they find is told by the report too.
    ``state`` is a history from before: its events are known, and nothing that falls due before the
    first arrival of ``files`` is decided. ``merges`` are all of both: several processes have to
    know them before the first line.
    """
    reviewed = list(zip_longest(files, reviews))
    options: _Options = {"grace_ms": grace_ms, "outage": outage, "partitions": partitions}
    if jobs == 1:
        replay = Replay(
            rules, output.write, outcome=output.write_outcome, dead=output.write_dead, **options
        )
        arrivals = merge_arrivals([read_arrivals(*file) for file in reviewed])
        if state:
            from_ms, arrivals = _start(arrivals)
            before = merge_arrivals([read_arrivals(lines) for lines in state])
            replay.learn(arrived_before(before, from_ms), from_ms)
        replay.run(arrivals, until_ms=until_ms)
        result = BacktestResult(replay.counts, replay.learned, len(replay.customers))
        records = (line for _, line in written_customers(replay.customers))
        keep_run(folder, rules, replay.now_ms, records)
    else:
        with Shards(
            jobs, rules, output, batch_sizes=batch_sizes, merges=merges, **options
        ) as shards:
            headers = merge_arrivals([read_headers(*file) for file in reviewed])
            if state:
                from_ms, headers = _start(headers)
                earlier = merge_arrivals([read_headers(lines) for lines in state])
                shards.learn(arrived_before(earlier, from_ms), from_ms)
            shards.run(headers, until_ms=until_ms)
            result = BacktestResult(shards.counts, shards.learned, shards.customers)
            keep_run(folder, rules, shards.now_ms, shards.written_customers())
    remarks = [remark for review in reviews for remark in review.remarks()]
    output.write_report(rules, result.counts, result.customers, remarks)
    return result


def _start(arrivals: Iterator[Found]) -> tuple[int, Iterator[Found]]:
    """When deciding begins, and the arrivals still to read."""
    first_ms, arrivals = first_arrival_ms(arrivals)
    return END_OF_TIME_MS if first_ms is None else first_ms, arrivals
