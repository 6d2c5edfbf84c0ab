"""Decisions as two tables: every marketing step, and the messages among them.

``steps``, one row a request: request (UUID), customer, trigger, step, key, anchor_ms, cause (id of
the anchoring event), channel, experiment, variant (NULL outside of one), is_sent, is_ghost,
is_recalled, decided_ms (when it was sent or held out, else last decided).

``messages``, the steps that were sent or (is_ghost) held out and not recalled. A variant that sends
nothing is an experiment's holdout: is_ghost_variant.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from app.analysis.data.database import Database
from app.analysis.data.json_files import check_complete, json_lines

_COLUMNS: Final = {
    "request_id": "VARCHAR",
    "customer_id": "VARCHAR",
    "trigger": "VARCHAR",
    "step": "INTEGER",
    "key": "VARCHAR",
    "category": "VARCHAR",
    "outcome": "VARCHAR",
    "channel": "VARCHAR",
    "experiment": "STRUCT(name VARCHAR, variant VARCHAR)",
    "anchor_at": "VARCHAR",
    "decided_at": "VARCHAR",
    "cause": "STRUCT(event_id VARCHAR)",
}

#: A request id is a UUID; other text becomes one, so that both files still meet.
REQUEST: Final = "coalesce(try_cast(request_id AS UUID), CAST(md5(request_id) AS UUID))"


def epoch_ms(column: str) -> str:
    """SQL for the epoch milliseconds of RFC 3339 text."""
    return f"epoch_ms(CAST({column} AS TIMESTAMP))"


def load_decisions(database: Database, paths: Sequence[Path]) -> None:
    """Make both tables. A decision that comes twice counts once. Raises ConfigError."""
    with json_lines(database, paths, _COLUMNS) as lines:
        database.run(
            f"""
            CREATE TEMP TABLE steps AS
            SELECT request, any_value(customer_id) AS customer, any_value(trigger) AS trigger,
                any_value(step) AS step, any_value(coalesce(key, '')) AS key,
                any_value(anchor_ms) AS anchor_ms, any_value(cause) AS cause,
                any_value(channel) AS channel, any_value(experiment) AS experiment,
                any_value(variant) AS variant,
                bool_or(outcome = 'send') AS is_sent,
                bool_or(outcome = 'holdout') AS is_ghost,
                bool_or(outcome = 'recall') AS is_recalled,
                coalesce(max(decided_ms) FILTER (outcome IN ('send', 'holdout')), max(decided_ms))
                    AS decided_ms
            FROM (
                SELECT * EXCLUDE (cause, experiment), {REQUEST} AS request,
                    {epoch_ms("anchor_at")} AS anchor_ms, {epoch_ms("decided_at")} AS decided_ms,
                    cause.event_id AS cause, experiment.name AS experiment,
                    experiment.variant AS variant
                FROM {lines} WHERE category IS DISTINCT FROM 'transactional'
            )
            GROUP BY request
            """
        )
    required = ("request", "customer", "trigger", "decided_ms", "anchor_ms", "is_sent")
    check_complete(database, "steps", required, paths, "decisions")
    database.run(
        """
        CREATE TEMP TABLE messages AS
        SELECT steps.* EXCLUDE (is_sent, is_recalled), silent.variant IS NOT NULL
            AS is_ghost_variant
        FROM steps LEFT JOIN (
            SELECT experiment, variant FROM steps WHERE experiment IS NOT NULL
            GROUP BY experiment, variant HAVING NOT bool_or(is_sent)
        ) AS silent USING (experiment, variant)
        WHERE (is_sent OR is_ghost) AND NOT is_recalled
        """
    )
