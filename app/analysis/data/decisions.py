"""Decisions as two tables: every marketing step, and the messages among them.

``steps``, one row a request: request (UUID), customer, trigger, step, key, anchor_ms, cause (id of
the anchoring event), channel, experiment, variant (NULL outside of one), is_sent, is_ghost,
is_recalled, decided_ms (when it was sent or held out, else last decided), segments and cluster of
the customer when it was decided (NULL when the engine did not write them), design of the
experiment, is_global_ghost and is_own_ghost: which holdout held it out, the file's or the
trigger's own.

``messages``, the steps that were sent or (is_ghost) held out and not recalled. A variant that sends
nothing is an experiment's holdout: is_ghost_variant. is_own_holdout: the trigger has a holdout of
its own.
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
    "segments": "VARCHAR[]",
    "cluster": "VARCHAR",
    "design": "VARCHAR",
    "gates": 'STRUCT(gate VARCHAR, verdict VARCHAR, "trigger" VARCHAR, experiment VARCHAR)[]',
}
#: The holdout gates of a decision: the file's first, then the trigger's own.
_HOLDOUTS: Final = "list_filter(gates, lambda g: g.gate = 'holdout' AND g.experiment IS NULL)"
_OWN: Final = 'holdouts[i]."trigger" IS NOT NULL OR i > 1'

#: A request id is a UUID; other text becomes one, so that both files still meet.
REQUEST: Final = "coalesce(try_cast(request_id AS UUID), CAST(md5(request_id) AS UUID))"


def epoch_ms(column: str) -> str:
    """SQL for the epoch milliseconds of RFC 3339 text."""
    return f"epoch_ms(CAST({column} AS TIMESTAMP))"


def load_decisions(
    database: Database, paths: Sequence[Path], period: tuple[int, int] | None = None
) -> None:
    """Make both tables. A decision that comes twice counts once. Raises ConfigError.

    ``period``: messages decided at from <= t < to, in epoch ms; None: all of them.
    """
    with json_lines(database, paths, _COLUMNS) as lines:
        database.run(
            f"""
            CREATE TEMP TABLE steps AS
            SELECT request, any_value(customer_id) AS customer, any_value(trigger) AS trigger,
                any_value(step) AS step, any_value(coalesce(key, '')) AS key,
                any_value(anchor_ms) AS anchor_ms, any_value(cause) AS cause,
                any_value(channel) AS channel, any_value(experiment) AS experiment,
                any_value(variant) AS variant, any_value(design) AS design,
                coalesce(any_value(segments) FILTER (outcome IN ('send', 'holdout')),
                    any_value(segments)) AS segments,
                coalesce(any_value(cluster) FILTER (outcome IN ('send', 'holdout')),
                    any_value(cluster)) AS cluster,
                coalesce(bool_or(is_global_ghost), false) AS is_global_ghost,
                coalesce(bool_or(is_own_ghost), false) AS is_own_ghost,
                coalesce(bool_or(has_own_holdout), false) AS has_own_holdout,
                bool_or(outcome = 'send') AS is_sent,
                bool_or(outcome = 'holdout') AS is_ghost,
                bool_or(outcome = 'recall') AS is_recalled,
                coalesce(max(decided_ms) FILTER (outcome IN ('send', 'holdout')), max(decided_ms))
                    AS decided_ms
            FROM (
                SELECT * EXCLUDE (places),
                    outcome = 'holdout' AND (len(places) = 0 OR len(list_filter(places,
                        lambda i: holdouts[i].verdict = 'fail' AND NOT ({_OWN}))) > 0)
                        AS is_global_ghost,
                    outcome = 'holdout' AND len(list_filter(places,
                        lambda i: holdouts[i].verdict = 'fail' AND ({_OWN}))) > 0 AS is_own_ghost,
                    len(list_filter(places, lambda i: {_OWN})) > 0 AS has_own_holdout
                FROM (
                    SELECT * EXCLUDE (cause, experiment, gates), {REQUEST} AS request,
                        {epoch_ms("anchor_at")} AS anchor_ms,
                        {epoch_ms("decided_at")} AS decided_ms,
                        cause.event_id AS cause, experiment.name AS experiment,
                        experiment.variant AS variant,
                        coalesce({_HOLDOUTS}, []) AS holdouts,
                        range(1, len(holdouts) + 1) AS places
                    FROM {lines} WHERE category IS DISTINCT FROM 'transactional'
                )
            )
            GROUP BY request
            """
        )
    required = ("request", "customer", "trigger", "decided_ms", "anchor_ms", "is_sent")
    check_complete(database, "steps", required, paths, "decisions")
    database.run(
        """
        CREATE TEMP TABLE messages AS
        SELECT steps.* EXCLUDE (is_sent, is_recalled, has_own_holdout),
            silent.variant IS NOT NULL AS is_ghost_variant,
            trigger IN (SELECT trigger FROM steps WHERE has_own_holdout) AS is_own_holdout
        FROM steps LEFT JOIN (
            SELECT experiment, variant FROM steps WHERE experiment IS NOT NULL
            GROUP BY experiment, variant HAVING NOT bool_or(is_sent)
        ) AS silent USING (experiment, variant)
        WHERE (is_sent OR is_ghost) AND NOT is_recalled
            AND decided_ms >= coalesce($from_ms, decided_ms)
            AND decided_ms < coalesce($to_ms, decided_ms + 1)
        """,
        {"from_ms": period and period[0], "to_ms": period and period[1]},
    )
