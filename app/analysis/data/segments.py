"""The segments of customers: those that decisions carry, or those of the records of a backtest.

Afterwards ``messages.segments`` is complete, and for what is not a message there are the tables
``segments`` (customer, segment) and ``clusters`` (customer, cluster): as of the customer's first
message, which no message can have changed, else as of the end of the backtest.
"""

from app.analysis.data.database import Database


def use_written_segments(database: Database) -> None:
    """Take what the decisions say."""
    database.run(
        """
        CREATE TEMP TABLE first_messages AS
        SELECT customer, arg_min(coalesce(segments, []), decided_ms) AS segments,
            arg_min(cluster, decided_ms) AS cluster
        FROM messages GROUP BY customer
        """
    )
    database.run(
        "CREATE TEMP TABLE segments AS"
        " SELECT customer, unnest(segments) AS segment FROM first_messages"
    )
    database.run("CREATE TEMP TABLE clusters AS SELECT customer, cluster FROM first_messages")
    database.run("DROP TABLE first_messages")


def use_saved_segments(database: Database) -> None:
    """Put the table ``segments``, which was loaded from records, in place of what they say."""
    database.run(
        """
        CREATE OR REPLACE TEMP TABLE messages AS
        SELECT messages.* REPLACE (kept.segments AS segments)
        FROM messages LEFT JOIN
            (SELECT customer, list(segment) AS segments FROM segments GROUP BY customer) AS kept
            USING (customer)
        """
    )


def are_written(database: Database) -> bool:
    """Whether the decisions say in which segments their customers were."""
    return bool(database.value("SELECT count(segments) > 0 FROM messages"))
