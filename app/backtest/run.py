"""One backtest from the arrivals to its folder, in this process or in several."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path

import msgspec

from app.backtest.clock import Outage
from app.backtest.history import merge_arrivals, read_arrivals
from app.backtest.history_review import HistoryReview
from app.backtest.output import OutputFolder
from app.backtest.parallel.line_headers import read_headers
from app.backtest.parallel.shard import PACE, Pace
from app.backtest.parallel.shards import Shards
from app.backtest.rates import DEFAULT_PARTITIONS
from app.backtest.replay import Replay
from app.backtest.saved_run import keep_run, written_customers
from app.core.rules.model import Rules


class Ran(msgspec.Struct, frozen=True):
    """What became of the records, and how many customers there are at the end."""

    counts: Counter[str]
    customers: int


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
    pace: Pace = PACE,
    reviews: Sequence[HistoryReview] = (),
) -> Ran:
    """Fill the folder from the lines of each file; how many processes do it changes no byte.

    ``reviews`` look at the files in their order; what they find is told by the report too.
    """
    reviewed = list(zip_longest(files, reviews))
    if jobs == 1:
        replay = Replay(
            rules,
            output.write,
            outcome=output.write_outcome,
            dead=output.write_dead,
            grace_ms=grace_ms,
            outage=outage,
            partitions=partitions,
        )
        replay.run(merge_arrivals([read_arrivals(*file) for file in reviewed]), until_ms=until_ms)
        ran = Ran(replay.counts, len(replay.customers))
        records = (line for _, line in written_customers(replay.customers))
        keep_run(folder, rules, replay.now_ms, records)
    else:
        with Shards(
            jobs,
            rules,
            output,
            grace_ms=grace_ms,
            outage=outage,
            partitions=partitions,
            pace=pace,
        ) as shards:
            shards.run(
                merge_arrivals([read_headers(*file) for file in reviewed]), until_ms=until_ms
            )
            ran = Ran(shards.counts, shards.customers)
            keep_run(folder, rules, shards.now_ms, shards.written_customers())
    remarks = [remark for review in reviews for remark in review.remarks()]
    output.write_report(rules, ran.counts, ran.customers, remarks)
    return ran
