"""What a backtest leaves: a folder of JSON lines, written as they are made, and a report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import orjson

from app.backtest.report.tally import Tally
from app.core.decisions import Decision
from app.core.errors import ConfigError, EventError
from app.core.outcomes import SendOutcome
from app.core.rules.model import Rules
from app.formats.encode import written, written_outcome

#: The files by number.
DECISIONS: Final = 0
DISPATCH: Final = 1
OUTCOMES: Final = 2
DEAD: Final = 3
_NAMES: Final = ("decisions.jsonl", "dispatch.jsonl", "outcomes.jsonl", "dead-letters.jsonl")
_BUFFER_BYTES: Final = 1 << 20
_REMEMBERED_DEAD: Final = 100


class OutputFolder:
    """``decisions.jsonl``, ``dispatch.jsonl``, ``outcomes.jsonl``, ``dead-letters.jsonl`` and, at
    the end, ``report.html`` in a folder.

    ``tally`` has counted decisions and outcomes; ``first_dead`` holds (line, reason, text) of the
    first dead letters.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._files = [(folder / name).open("wb", buffering=_BUFFER_BYTES) for name in _NAMES]
        except OSError as exc:
            raise ConfigError(f"{folder}: the output cannot be written: {exc.strerror}") from exc
        self.tally = Tally()
        self._report = folder / "report.html"
        self.first_dead: list[tuple[int, str, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._files:
            file.close()

    def write(self, decision: Decision) -> None:
        """One decision, and what it puts on dispatch."""
        self.tally.take(decision)
        record, request = written(decision)
        self._files[DECISIONS].write(record + b"\n")
        if request is not None:
            self._files[DISPATCH].write(request + b"\n")

    def write_outcome(self, outcome: SendOutcome) -> None:
        """One thing that a send led to."""
        self.tally.take_outcome(outcome)
        self._files[OUTCOMES].write(written_outcome(outcome) + b"\n")

    def write_dead(self, number: int, error: EventError) -> None:
        """One record that could not be understood, by its line."""
        self.write_line(DEAD, dead_line(number, error) + b"\n")

    def write_line(self, file: int, line: bytes) -> None:
        """A line with its end that another process has written, and counted."""
        self._files[file].write(line)
        if file == DEAD and len(self.first_dead) < _REMEMBERED_DEAD:
            dead = orjson.loads(line)
            self.first_dead.append((dead["line"], dead["reason"], dead["error"]))

    def write_report(
        self, rules: Rules, records: Mapping[str, int], customers: int, remarks: Sequence[str] = ()
    ) -> None:
        """The page about the run; ``records`` counts what was read by what became of it,
        ``remarks`` tell what is odd about the files.
        """
        from app.backtest.report.page import Run, report_page

        page = report_page(
            self.tally, rules, Run(records=records, customers=customers, remarks=remarks)
        )
        self._report.write_text(page, encoding="utf-8")


def dead_line(number: int, error: EventError) -> bytes:
    """A record that could not be understood, without a line end."""
    return orjson.dumps({"line": number, "reason": error.reason, "error": str(error)})
