"""What a backtest leaves: a folder of JSON lines, written as they are made, and a report."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
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


class OutputLines:
    """Counts what a run makes (``tally``) and encodes it as lines of the output files.

    A subclass decides where a line goes.
    """

    def __init__(self) -> None:
        self.tally = Tally()
        self._write_decision = self.writer(DECISIONS)
        self._write_request = self.writer(DISPATCH)

    def write(self, decision: Decision) -> None:
        """One decision, and what it puts on dispatch."""
        self.tally.take(decision)
        record, request = written(decision)
        self._write_decision(record + b"\n")
        if request is not None:
            self._write_request(request + b"\n")

    def write_outcome(self, outcome: SendOutcome) -> None:
        """One thing that a send led to."""
        self.tally.take_outcome(outcome)
        self.write_line(OUTCOMES, written_outcome(outcome) + b"\n")

    def write_dead(self, number: int, error: EventError) -> None:
        """One record that could not be understood, by its line."""
        dead = {"line": number, "reason": error.reason, "error": str(error)}
        self.write_line(DEAD, orjson.dumps(dead) + b"\n")

    def writer(self, file: int) -> Callable[[bytes], object]:
        """What takes the lines, with their ends, of one file."""
        return partial(self.write_line, file)

    def write_line(self, file: int, line: bytes) -> None:
        """A line, with its end, of a file."""
        raise NotImplementedError


class OutputFolder(OutputLines):
    """``decisions.jsonl``, ``dispatch.jsonl``, ``outcomes.jsonl``, ``dead-letters.jsonl`` and, at
    the end, ``report.html`` in a folder.

    ``first_dead`` holds (line, reason, text) of the first dead letters.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._files = [(folder / name).open("wb", buffering=_BUFFER_BYTES) for name in _NAMES]
        except OSError as exc:
            raise ConfigError(f"{folder}: the output cannot be written: {exc.strerror}") from exc
        super().__init__()
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

    def writer(self, file: int) -> Callable[[bytes], object]:
        return self._files[file].write

    def write_line(self, file: int, line: bytes) -> None:
        """A line, with its end, of a file; of what another process has written it is not counted
        again.
        """
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
