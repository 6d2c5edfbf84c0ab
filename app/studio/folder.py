"""What the studio reads: the files of a backtest, again when a newer run has replaced them."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from app.backtest.saved_run import CUSTOMERS, DECISIONS, RUN, SavedRun, run_lines
from app.core.errors import ConfigError
from app.plan.plan import Plan
from app.studio.decision_counts import DecisionCounts, DecisionLine, count_decisions

PLAN: Final = "plan.json"
REPORT: Final = "report.html"
_WATCHED: Final = (RUN, CUSTOMERS, DECISIONS, PLAN)
_DECODER: Final = msgspec.json.Decoder(DecisionLine)


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it was when it was read; ``plan`` None: there is none in its folder."""

    saved: SavedRun
    counts: DecisionCounts
    customers: int
    plan: Plan | None


class StudioFolder:
    """The folder of a backtest. Blocks while it reads; one caller at a time.

    ``plan``: where a plan is looked for, by default ``plan.json`` in the folder.
    """

    def __init__(self, path: Path, plan: Path | None = None) -> None:
        self.path = path
        self._plan_path = path / PLAN if plan is None else plan
        self._needs_plan = plan is not None
        self._stamps: tuple[tuple[int, int] | None, ...] = ()
        self._loaded: Loaded | None = None

    def load(self) -> Loaded:
        """The run. Raises ConfigError when the folder holds none or a file is not what it was
        written as.
        """
        stamps = tuple(map(_stamp, (*(self.path / name for name in _WATCHED), self._plan_path)))
        if self._loaded is None or stamps != self._stamps:
            self._loaded = Loaded(
                saved=SavedRun(self.path),
                counts=self._count(),
                customers=sum(1 for _ in run_lines(self.path / CUSTOMERS)),
                plan=self._read_plan(),
            )
            self._stamps = stamps
        return self._loaded

    def report(self) -> bytes | None:
        """The report page of the run; None when there is none."""
        try:
            return (self.path / REPORT).read_bytes()
        except OSError:
            return None

    def decisions(self) -> Iterator[DecisionLine]:
        """All decisions, in the order made. Raises ConfigError."""
        path = self.path / DECISIONS
        for number, line in enumerate(run_lines(path), start=1):
            try:
                yield _DECODER.decode(line)
            except msgspec.DecodeError as exc:
                raise ConfigError(
                    f"{path}, line {number}: expected a decision of triggers backtest: {exc}; does"
                    " a backtest still write it?"
                ) from exc

    def _count(self) -> DecisionCounts:
        try:
            return count_decisions(self.decisions())
        except ValueError as exc:
            raise ConfigError(f"{self.path / DECISIONS}: decided_at: {exc}") from exc

    def _read_plan(self) -> Plan | None:
        path = self._plan_path
        try:
            return msgspec.json.decode(path.read_bytes(), type=Plan)
        except FileNotFoundError:
            if not self._needs_plan:
                return None
            raise ConfigError(f"{path}: cannot be read: No such file or directory") from None
        except OSError as exc:
            raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
        except msgspec.DecodeError as exc:
            raise ConfigError(
                f"{path}: not a plan: {exc}; expected what"
                " triggers plan OLD NEW --format json prints"
            ) from exc


def first(lines: Iterator[Any], most: int) -> tuple[list[Any], bool]:
    """The first ones, and whether there are more."""
    found = list(islice(lines, most + 1))
    return found[:most], len(found) > most


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
