"""Outcomes as tables: what became of each request, and its purchases.

``outcomes``, one row a line: request, trigger, kind, role, value, margin, currency, latency_s,
occurred_ms, event (id of the event that made it).

``purchases``, one row a request and purchase: request, event, occurred_ms, is_direct, value,
margin, currency, latency_s.

``results``, one row a request: is_delivered, is_opened, is_clicked, is_bounced, is_complained,
is_unsubscribed, is_surveyed, is_reviewed, recoveries, contacts (ids of ``support`` events),
directs, assists, revenue and margin of the direct ones, how many of these say no value, no margin,
and the first and last of their currencies by name ('' for none), bought (event, value, margin of
every purchase of either role), scores (of surveys, NULL without one).

With a ``currency`` purchases in another one count as purchases, and their money as missing.

Lines that come twice (request, kind and event the same) count once.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from app.analysis.data.database import Database
from app.analysis.data.decisions import REQUEST, epoch_ms
from app.analysis.data.json_files import check_complete, json_lines

_COLUMNS: Final = {
    "request_id": "VARCHAR",
    "customer_id": "VARCHAR",
    "trigger": "VARCHAR",
    "kind": "VARCHAR",
    "role": "VARCHAR",
    "value": "DOUBLE",
    "margin": "DOUBLE",
    "score": "DOUBLE",
    "currency": "VARCHAR",
    "latency_s": "DOUBLE",
    "occurred_at": "VARCHAR",
    "cause": "STRUCT(event_id VARCHAR)",
}
#: kinds of which a request has at most one -> the column that says whether it has
FLAGS: Final = {
    "delivered": "is_delivered",
    "opened": "is_opened",
    "clicked": "is_clicked",
    "bounced": "is_bounced",
    "complained": "is_complained",
    "unsubscribed": "is_unsubscribed",
    "surveyed": "is_surveyed",
    "review": "is_reviewed",
}
_BITS: Final = {kind: 1 << place for place, kind in enumerate(FLAGS)}


def load_outcomes(
    database: Database, paths: Sequence[Path], *, currency: str | None = None
) -> None:
    """Make the tables. Raises ConfigError."""
    with json_lines(database, paths, _COLUMNS) as lines:
        database.run(
            f"""
            CREATE TEMP TABLE outcomes AS
            SELECT {REQUEST} AS request, trigger, kind, role, value, margin, score, currency,
                latency_s, {epoch_ms("occurred_at")} AS occurred_ms,
                CASE WHEN kind IN ('conversion', 'recovery', 'support')
                    THEN coalesce(cause.event_id, occurred_at) END AS event
            FROM {lines}
            """
        )
    check_complete(
        database, "outcomes", ("request", "trigger", "kind", "occurred_ms"), paths, "outcomes"
    )
    database.run(
        """
        CREATE TEMP TABLE purchases AS
        SELECT request, event, any_value(occurred_ms) AS occurred_ms,
            bool_or(role = 'direct') AS is_direct,
            any_value(value) FILTER (is_kept) AS value,
            any_value(margin) FILTER (is_kept) AS margin,
            any_value(currency) FILTER (is_kept) AS currency,
            any_value(latency_s) AS latency_s
        FROM (SELECT *, coalesce(currency = $currency, $currency IS NULL) AS is_kept FROM outcomes)
        WHERE kind = 'conversion' GROUP BY request, event
        """,
        {"currency": currency},
    )
    database.run(
        """
        CREATE TEMP TABLE rare AS
        SELECT request, count(DISTINCT event) FILTER (kind = 'recovery') AS recoveries,
            list(DISTINCT event) FILTER (kind = 'support') AS contacts,
            any_value(score) FILTER (kind = 'surveyed') AS score
        FROM outcomes WHERE kind IN ('recovery', 'support', 'surveyed') GROUP BY request
        """
    )
    database.run(
        """
        CREATE TEMP TABLE sales AS
        SELECT request,
            count(*) FILTER (is_direct) AS directs,
            count(*) FILTER (NOT is_direct) AS assists,
            sum(value) FILTER (is_direct) AS revenue,
            sum(margin) FILTER (is_direct) AS margin,
            count(*) FILTER (is_direct AND value IS NULL) AS without_value,
            count(*) FILTER (is_direct AND margin IS NULL) AS without_margin,
            min(coalesce(currency, '')) FILTER (is_direct AND value IS NOT NULL) AS currency_from,
            max(coalesce(currency, '')) FILTER (is_direct AND value IS NOT NULL) AS currency_to,
            list({'event': event, 'value': value, 'margin': margin}) AS bought
        FROM purchases GROUP BY request
        """
    )
    bits = " ".join(f"WHEN '{kind}' THEN {bit}" for kind, bit in _BITS.items())
    flags = ", ".join(f"bits & {_BITS[kind]} != 0 AS {name}" for kind, name in FLAGS.items())
    database.run(
        f"""
        CREATE TEMP TABLE results AS
        SELECT request, {flags}, rare.* EXCLUDE (request), sales.* EXCLUDE (request)
        FROM (SELECT request, bit_or(CASE kind {bits} ELSE 0 END) AS bits
              FROM outcomes GROUP BY request)
        LEFT JOIN rare USING (request) LEFT JOIN sales USING (request)
        """
    )
