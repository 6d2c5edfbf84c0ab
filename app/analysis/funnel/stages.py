"""The table ``things``: each with the stages it reached, and when.

Columns: customer, key, start_ms, times (one a stage, NULL without its event), deepest (the last
stage reached, from 0), is_over (its time is up: what it has not reached by now is lost).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from app.analysis.data.batches import in_batches
from app.analysis.data.database import Database
from app.backtest.history import read_arrivals
from app.core.errors import ConfigError
from app.core.events import Event
from app.core.rules.keys import key_of
from app.formats.json_lines import open_lines

_Row = tuple[str, str, int, int]


def load_things(
    database: Database, paths: Sequence[Path], stages: Sequence[str], key: str, within_ms: int
) -> int:
    """Make the table from files of events; the number of events without the key.

    Raises ConfigError when a file cannot be read, or no event of a stage is in them.
    """
    database.run(
        "CREATE TEMP TABLE stage_events"
        " (customer VARCHAR, key VARCHAR, stage INTEGER, occurred_ms BIGINT)"
    )
    reader = _Reader(stages, key)
    for path in paths:
        for rows in in_batches(reader.rows(path)):
            customers, keys, numbers, instants = zip(*rows, strict=True)
            database.insert(
                "stage_events",
                {
                    "customer": np.array(customers, dtype=object),
                    "key": np.array(keys, dtype=object),
                    "stage": np.array(numbers, dtype=np.int32),
                    "occurred_ms": np.array(instants, dtype=np.int64),
                },
            )
    missing = [name for name in stages if name not in reader.seen]
    if missing:
        raise ConfigError(
            f"--stages: no event of type {', '.join(missing)} in the files: check the spelling"
        )
    _make_things(database, len(stages), within_ms, reader.last_ms)
    return reader.without_key


def _make_things(database: Database, stages: int, within_ms: int, last_ms: int) -> None:
    times = ", ".join(
        f"min(occurred_ms) FILTER (stage = {stage} AND occurred_ms BETWEEN start_ms"
        f" AND start_ms + $within_ms)"
        for stage in range(1, stages)
    )
    database.run(
        f"""
        CREATE TEMP TABLE things AS
        SELECT customer, key, start_ms, times, deepest,
            deepest = {stages - 1} OR start_ms + $within_ms <= $last_ms AS is_over
        FROM (
            SELECT customer, key, start_ms, [start_ms, {times}] AS times,
                max(stage) FILTER (occurred_ms BETWEEN start_ms AND start_ms + $within_ms)
                    AS deepest
            FROM stage_events JOIN (
                SELECT customer, key, min(occurred_ms) AS start_ms FROM stage_events
                WHERE stage = 0 GROUP BY customer, key
            ) USING (customer, key)
            GROUP BY customer, key, start_ms
        )
        """,
        {"within_ms": within_ms, "last_ms": last_ms},
    )
    database.run("DROP TABLE stage_events")


class _Reader:
    """Rows of files, and what was seen on the way."""

    def __init__(self, stages: Sequence[str], key: str) -> None:
        self._numbers = {name: number for number, name in enumerate(stages)}
        self._key = key
        self.seen: set[str] = set()
        self.without_key = 0
        self.last_ms = 0

    def rows(self, path: Path) -> Iterator[_Row]:
        with open_lines(path) as lines:
            for arrival in read_arrivals(lines):
                event = arrival.content
                if not isinstance(event, Event):
                    continue
                self.last_ms = max(self.last_ms, event.occurred_ms)
                number = self._numbers.get(event.type)
                if number is None:
                    continue
                self.seen.add(event.type)
                key = key_of(event.data, self._key)
                if key is None:
                    self.without_key += 1
                else:
                    yield event.customer_id, key, number, event.occurred_ms
