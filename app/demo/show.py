"""What the viewer sees while the demo runs: a live table, or plain lines where that cannot be."""

import os
from collections import Counter, deque
from collections.abc import Mapping
from typing import Final, Protocol

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from app.demo.tally import Tally
from app.demo.words import Line

_STYLES: Final = {
    "send": "green",
    "holdout": "cyan",
    "defer": "yellow",
    "suppress": "magenta",
    "recall": "bold red",
}
#: Plain lines: of a kind of decision the first ones are shown, then one in so many.
_FIRST: Final = 2
_ONE_IN: Final = 10
#: rows of the screen that are neither decisions nor counts
_FRAME_ROWS: Final = 8
_MOST_COUNTS: Final = 8
_WIDE_COLUMNS: Final = 105
#: Under this trigger and reason share a column, and the counts by trigger are left out.
_NARROW_COLUMNS: Final = 72
_REFRESH_PER_S: Final = 4


class Show(Protocol):
    """Where the demo puts what it has to say."""

    def note(self, text: str) -> None:
        """Something the demo does."""

    def decision(self, line: Line) -> None:
        """Something the engine decided."""

    def tick(self, elapsed_s: float, published: int, tally: Tally) -> None:
        """How things stand now."""

    def close(self) -> None:
        """Nothing more comes."""


def open_show(console: Console, start_ms: int, metrics_url: str, *, is_plain: bool = False) -> Show:
    """A live table when the console can have one, unless lines are wanted. Close it. Times count
    from ``start_ms``.
    """
    if not is_plain and is_live(console, os.environ):
        return LiveShow(console, start_ms, metrics_url)
    return PlainShow(console, start_ms)


def is_live(console: Console, environ: Mapping[str, str]) -> bool:
    """Whether to draw: a terminal that can, of somebody who does not mind."""
    is_dumb = environ.get("TERM", "") in ("dumb", "unknown")
    return console.is_terminal and not is_dumb and not environ.get("NO_COLOR")


class PlainShow:
    """A line for each decision, of frequent kinds only some; for logs and pipes."""

    def __init__(self, console: Console, start_ms: int) -> None:
        self._console = console
        self._start_ms = start_ms
        self._seen: Counter[tuple[str, str, str]] = Counter()

    def note(self, text: str) -> None:
        self._print(text)

    def decision(self, line: Line) -> None:
        kind = (line.trigger, line.outcome, line.reason)
        self._seen[kind] += 1
        if is_worth_a_line(line, self._seen[kind]):
            self._print(plain_text(line, self._start_ms))

    def tick(self, elapsed_s: float, published: int, tally: Tally) -> None:
        """Lines say it all."""

    def close(self) -> None:
        """Nothing is open."""

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        self._console.file.flush()


def is_worth_a_line(line: Line, number: int) -> bool:
    """Whether the ``number``-th decision of its kind is shown: all that reach or spare a person
    for a reason of marketing, some of the confirmations and of what is held back.
    """
    if line.outcome == "recall" or (line.is_marketing and line.outcome in ("send", "holdout")):
        return True
    return number <= _FIRST or number % _ONE_IN == 0


def plain_text(line: Line, start_ms: int) -> str:
    """One decision as a line of text."""
    elapsed_s = (line.at_ms - start_ms) / 1000
    return (
        f"{elapsed_s:6.1f}s  {line.outcome:<8}  {line.customer:<9.9}  {_step_name(line):<31}"
        f"  {line.channel or '-':<5}  {line.words}"
    )


class LiveShow:
    """A table that changes in place: the latest decisions, and the counts."""

    def __init__(self, console: Console, start_ms: int, metrics_url: str) -> None:
        self._start_ms = start_ms
        self._metrics_url = metrics_url
        self._counts = max(3, min(_MOST_COUNTS, (console.height - _FRAME_ROWS) // 3))
        rows = max(4, console.height - _FRAME_ROWS - self._counts)
        self._is_narrow = console.width < _NARROW_COLUMNS
        self._trigger_width = 31 if console.width >= _WIDE_COLUMNS else 22
        self._lines: deque[Line] = deque(maxlen=rows)
        self._is_open = True
        self._live = Live(console=console, refresh_per_second=_REFRESH_PER_S, auto_refresh=False)
        self._live.start()

    def note(self, text: str) -> None:
        self._live.console.print(text, markup=False, highlight=False)

    def decision(self, line: Line) -> None:
        self._lines.append(line)

    def tick(self, elapsed_s: float, published: int, tally: Tally) -> None:
        self._live.update(self.frame(elapsed_s, published, tally), refresh=True)

    def frame(self, elapsed_s: float, published: int, tally: Tally) -> Group:
        """The picture as it is now."""
        figures = f"{elapsed_s:4.0f} s  {published} events in  {tally.sent} sent "
        more = f" {tally.recalls} recalled  {tally.dead_letters} dead letters  {self._metrics_url}"
        if self._is_narrow:
            head = Text(figures, overflow="ellipsis", no_wrap=True)
            return Group(head, self._latest_narrow(), _by_reason(tally, self._counts + 1))
        head = Text.assemble(
            ("triggers demo ", "bold"), figures, more, overflow="ellipsis", no_wrap=True
        )
        counts = Table.grid(padding=(0, 1), expand=True)
        counts.add_row(_by_trigger(tally, self._counts), _by_reason(tally, self._counts + 1))
        return Group(head, self._latest(), counts)

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._live.stop()

    def _latest(self) -> Table:
        table = Table(expand=True, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        widths = {"s": 5, "customer": 9, "trigger": self._trigger_width, "outcome": 8, "by": 5}
        for name, width in widths.items():
            table.add_column(name, width=width, no_wrap=True)
        table.add_column("why", ratio=1, no_wrap=True)
        for line in self._lines:
            table.add_row(
                f"{(line.at_ms - self._start_ms) / 1000:5.1f}",
                escape(line.customer),
                _step_name(line),
                line.outcome,
                line.channel,
                escape(line.words),
                style=_STYLES[line.outcome],
            )
        return table

    def _latest_narrow(self) -> Table:
        table = Table(expand=True, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        for name, width in {"s": 5, "outcome": 8}.items():
            table.add_column(name, width=width, no_wrap=True)
        table.add_column("trigger, why", ratio=1, no_wrap=True)
        for line in self._lines:
            table.add_row(
                f"{(line.at_ms - self._start_ms) / 1000:5.1f}",
                line.outcome,
                escape(f"{_step_name(line)}: {line.words}"),
                style=_STYLES[line.outcome],
            )
        return table


def _by_trigger(tally: Tally, rows: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("busiest triggers", no_wrap=True, max_width=24)
    for name, style in _STYLES.items():
        table.add_column(name, justify="right", style=style, no_wrap=True)
    busiest = sorted(tally.by_trigger.items(), key=lambda item: (-item[1].total(), item[0]))
    for trigger, outcomes in busiest[:rows]:
        table.add_row(trigger, *(str(outcomes[name] or "") for name in _STYLES))
    return table


def _by_reason(tally: Tally, rows: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("why not", no_wrap=True)
    table.add_column("", justify="right")
    reasons = Counter(
        {
            f"{outcome}: {reason}" if outcome != reason else outcome: count
            for (outcome, reason), count in tally.decisions.items()
            if outcome != "send"
        }
    )
    for name, count in reasons.most_common(rows):
        table.add_row(name, str(count), style=_STYLES[name.split(":")[0]])
    return table


def _step_name(line: Line) -> str:
    return line.trigger if line.step == 0 else f"{line.trigger} #{line.step + 1}"
