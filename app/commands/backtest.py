"""``triggers backtest``: rehearse rules on history, without Kafka."""

import argparse
import gc
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Final, Self

from app.backtest.clock import Outage
from app.backtest.history_review import HistoryReview
from app.backtest.output import OutputFolder
from app.backtest.parallel.cores import can_fork, usable_cores
from app.backtest.parallel.merges import Merge, find_merges, without_merges
from app.backtest.rates import DEFAULT_PARTITIONS
from app.backtest.run import BacktestResult, run_backtest
from app.commands._options import parse_instant_option, positive_number
from app.core.errors import ConfigError
from app.core.rules.rates import require_share
from app.core.time.durations import parse_duration_ms
from app.formats.json_lines import LineReader, can_be_read_twice, open_lines
from app.rules_file.load import load_rules

_SHOWN_DEAD_LETTERS: Final = 5
#: Of a history with fewer lines it costs more to start processes than they give.
_SHORT_LINES: Final = 20_000
_SHORT_BYTES: Final = 16 << 20
_LINES_BETWEEN_UPDATES: Final = 8192


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "backtest",
        help="decide over history, without Kafka",
        description="Decide over a history with the code of the worker: decisions, what would go"
        " out, what it led to, and report.html, the run on one page. Afterwards `triggers explain"
        " CUSTOMER --out DIR` and `triggers studio DIR` say why.",
    )
    parser.add_argument("--rules", type=Path, required=True, help="the rules file")
    parser.add_argument(
        "--events",
        nargs="+",
        required=True,
        metavar="FILE",
        help="JSON lines in arrival order, plain or gzip; - is standard input",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="made if missing")
    parser.add_argument(
        "--state-from",
        nargs="+",
        default=[],
        metavar="HISTORY",
        help="an earlier history that customers are known from; nothing of it is decided",
    )
    parser.add_argument("--until", metavar="T", help="run the clock on to T after the last record")
    parser.add_argument("--outage", metavar="FROM/TO", help="records in between are read at TO")
    parser.add_argument("--grace", default="5s", help="how long a timer waits (default 5s)")
    parser.add_argument(
        "--partitions",
        type=positive_number,
        default=DEFAULT_PARTITIONS,
        metavar="N",
        help=f"partitions that share a send rate (default {DEFAULT_PARTITIONS})",
    )
    parser.add_argument(
        "--jobs",
        type=_jobs,
        metavar="N",
        help="decide in N processes, each for its share of the customers, to the same bytes"
        " (default: as many as there are cores to use; 1 for a short history, or one that"
        " cannot be read twice)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the folder; print what is odd about the events, then what became of them."""
    rules = load_rules(args.rules)
    require_share(rules, args.partitions)
    until_ms = None if args.until is None else parse_instant_option(args.until, "--until")
    outage = None if args.outage is None else _outage(args.outage)
    try:
        grace_ms = parse_duration_ms(args.grace)
    except ValueError as exc:
        raise ConfigError(f"--grace: {exc}") from None
    gc.disable()  # records hold no cycles, and walking millions of them costs a quarter of the time
    with ExitStack() as stack:
        readers = [stack.enter_context(open_lines(name)) for name in args.events]
        state = [stack.enter_context(open_lines(name)) for name in args.state_from]
        output = stack.enter_context(OutputFolder(args.out))
        files = [iter(reader) for reader in readers]
        machine_ms = time.time_ns() // 1_000_000
        reviews = [HistoryReview(reader.name, machine_ms) for reader in readers]
        jobs = args.jobs
        if jobs is None:
            heads = [_head(lines) for lines in files]
            jobs = usable_cores() if can_fork() and _is_long(heads) else 1
            files = [chain(head, lines) for head, lines in zip(heads, files, strict=True)]
        histories = [*args.events, *args.state_from]
        is_lasting = all(map(can_be_read_twice, histories))
        if not is_lasting and args.jobs is None:
            jobs = 1
        before: list[Iterator[bytes]] = [iter(reader) for reader in state]
        if jobs > 1 and not is_lasting:
            files = [without_merges(*each) for each in zip(files, args.events, strict=True)]
            before = [without_merges(*each) for each in zip(before, args.state_from, strict=True)]
        merges = _merges(histories) if jobs > 1 and is_lasting else []
        bar = stack.enter_context(_Bar(readers))
        result = run_backtest(
            rules,
            [bar.followed(lines) for lines in files],
            args.out,
            output,
            jobs=jobs,
            until_ms=until_ms,
            grace_ms=grace_ms,
            outage=outage,
            reviews=reviews,
            state=before,
            partitions=args.partitions,
            merges=merges,
        )
    for review in reviews:
        for remark in review.remarks():
            print(f"warning: {remark}")
    _print_summary(result, output, args.out)
    return _exit_code(result)


def _exit_code(result: BacktestResult) -> int:
    """0; 2 when there were records and none of them could be read."""
    dead = result.counts["dead_letter"]
    if not dead or dead < result.counts.total():
        return 0
    print(
        f"none of {dead} records could be read: expected an event a line, see"
        " `triggers publish --check`",
        file=sys.stderr,
    )
    return 2


def _merges(names: list[str]) -> list[Merge]:
    """The merges of all histories, which are read for them alone."""
    merges: list[Merge] = []
    for name in names:
        with open_lines(name) as lines:
            merges += find_merges(lines)
    return merges


def _head(lines: Iterator[bytes]) -> list[bytes]:
    """The first lines, so many that a short history is read whole; in bounded memory."""
    head: list[bytes] = []
    left = _SHORT_BYTES
    for line in lines:
        head.append(line)
        left -= len(line)
        if len(head) == _SHORT_LINES or left < 0:
            break
    return head


def _is_long(heads: list[list[bytes]]) -> bool:
    lines = sum(len(head) for head in heads)
    return lines >= _SHORT_LINES or sum(len(line) for head in heads for line in head) > _SHORT_BYTES


class _Bar:
    """A progress bar, when a person is watching. It has a thread: it starts after the processes."""

    def __init__(self, readers: list[LineReader]) -> None:
        self._readers = readers
        self._stack = ExitStack()
        self._update: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._update is not None:
            self._update()
        self._stack.close()

    def followed(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        """The same lines; the bar moves as they are taken."""
        if not sys.stderr.isatty():
            return lines
        return self._followed(lines)

    def _followed(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        for count, line in enumerate(lines):
            if count % _LINES_BETWEEN_UPDATES == 0:
                update = self._update or self._start()
                update()
            yield line

    def _start(self) -> Callable[[], None]:
        from rich.console import Console
        from rich.progress import Progress

        sizes = [reader.total_bytes for reader in self._readers]
        total = sum(size or 0 for size in sizes) if all(sizes) else None
        progress = self._stack.enter_context(Progress(console=Console(stderr=True)))
        bar = progress.add_task("reading history", total=total)

        def update() -> None:
            progress.update(bar, completed=sum(reader.read_bytes for reader in self._readers))

        self._update = update
        return update


def _jobs(text: str) -> int:
    jobs = positive_number(text)
    if jobs > 1 and not can_fork():
        raise argparse.ArgumentTypeError("this system cannot fork processes: expected 1")
    return jobs


def _outage(text: str) -> Outage:
    start, slash, end = text.partition("/")
    if not slash:
        raise ConfigError(f"--outage: expected FROM/TO, got {text!r}")
    outage = Outage(
        parse_instant_option(start, "--outage FROM"), parse_instant_option(end, "--outage TO")
    )
    if outage.from_ms >= outage.to_ms:
        raise ConfigError(f"--outage: expected FROM before TO, got {text!r}")
    return outage


def _print_summary(result: BacktestResult, output: OutputFolder, folder: Path) -> None:
    if result.learned:
        print(_counted("state", result.learned))
    print(_counted("records", result.counts))
    print(f"customers: {result.customers}")
    print(_counted("decisions", output.tally.outcomes))
    print(_counted("outcomes", output.tally.kinds_led_to))
    names = ("decisions.jsonl", "dispatch.jsonl", "outcomes.jsonl", "report.html")
    print(f"written: {', '.join(str(folder / name) for name in names)}")
    if output.first_dead:
        print(
            f"dead letters: see {folder / 'dead-letters.jsonl'}; the first of them:",
            file=sys.stderr,
        )
        for number, reason, text in output.first_dead[:_SHOWN_DEAD_LETTERS]:
            print(f"  line {number}: {reason}: {text}", file=sys.stderr)


def _counted(what: str, counts: Counter[str]) -> str:
    parts = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return f"{what}: {counts.total()}{f' ({parts})' if parts else ''}"
