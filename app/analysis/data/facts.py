"""``facts``: each message with what became of it and what kind of trigger it is of."""

from collections.abc import Collection

from app.analysis.data.database import Database


def make_facts(
    database: Database, abandonments: Collection[str], deliveries: Collection[str]
) -> None:
    """``messages`` and ``results`` side by side, with is_abandonment and is_delivery (the anchor
    is a ``delivered`` event), and slice (0..255, the same for all messages of a customer). Both
    tables go: they are in here.
    """
    for table, names in (("abandonments", abandonments), ("deliveries", deliveries)):
        database.run(f"CREATE OR REPLACE TEMP TABLE {table} (trigger VARCHAR)")
        for name in names:
            database.run(f"INSERT INTO {table} VALUES ($name)", {"name": name})
    database.run(
        """
        CREATE TEMP TABLE facts AS
        SELECT messages.*, results.* EXCLUDE (request),
            trigger IN (SELECT trigger FROM abandonments) AS is_abandonment,
            trigger IN (SELECT trigger FROM deliveries) AS is_delivery,
            CAST(hash(customer) & 255 AS UTINYINT) AS slice
        FROM messages LEFT JOIN results USING (request)
        """
    )
    database.run("DROP TABLE results")
    database.run("DROP TABLE messages")
