"""What a backtest leaves: a folder of JSON lines, written as they are made."""

from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import orjson

from app.core.decisions import Decision
from app.core.errors import ConfigError, EventError
from app.wire import written

_BUFFER_BYTES: Final = 1 << 20
_REMEMBERED_DEAD: Final = 100


class OutputFolder:
    """``decisions.jsonl``, ``dispatch.jsonl`` and ``dead-letters.jsonl`` in a folder.

    ``decisions`` counts by outcome; ``first_dead`` holds (line, reason, text) of the first ones.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._decisions = (folder / "decisions.jsonl").open("wb", buffering=_BUFFER_BYTES)
            self._dispatch = (folder / "dispatch.jsonl").open("wb", buffering=_BUFFER_BYTES)
            self._dead = (folder / "dead-letters.jsonl").open("wb")
        except OSError as exc:
            raise ConfigError(f"{folder}: the output cannot be written: {exc.strerror}") from exc
        self.decisions: Counter[str] = Counter()
        self.first_dead: list[tuple[int, str, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._decisions.close()
        self._dispatch.close()
        self._dead.close()

    def write(self, decision: Decision) -> None:
        """One decision, and what it puts on dispatch."""
        self.decisions[decision.outcome] += 1
        record, request = written(decision)
        self._decisions.write(record + b"\n")
        if request is not None:
            self._dispatch.write(request + b"\n")

    def write_dead(self, number: int, error: EventError) -> None:
        """One record that could not be understood, by its line."""
        line = {"line": number, "reason": error.reason, "error": str(error)}
        self._dead.write(orjson.dumps(line) + b"\n")
        if len(self.first_dead) < _REMEMBERED_DEAD:
            self.first_dead.append((number, error.reason, str(error)))
