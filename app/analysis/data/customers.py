"""The table ``segments`` (customer, segment) from the records that a backtest keeps."""

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import numpy as np

from app.analysis.data.batches import in_batches
from app.analysis.data.database import Database
from app.backtest.saved_run import read_customers
from app.core.customer.record import Customer
from app.core.customer.scoring_model import Model

#: (customer, now in epoch ms) -> the segments they are in
SegmentsOf = Callable[[Customer, int], Iterable[str]]


class Customers(msgspec.Struct, frozen=True, kw_only=True):
    """A ``customers.jsonl``, and what segments its customers are in as of ``now_ms``.

    ``is_chosen``: they hold whatever the decisions say; else only where these do not say it.
    """

    path: Path
    now_ms: int
    segments_of: SegmentsOf
    is_chosen: bool = True


def model_clusters(model: Model) -> SegmentsOf:
    """The one cluster of the model, for those of whom enough is known."""
    cluster = model.facts()["cluster"]

    def found(customer: Customer, now_ms: int) -> list[str]:
        name = cluster(customer, now_ms)
        return [] if name is None else [str(name)]

    return found


def load_segments(database: Database, path: Path, segments_of: SegmentsOf, now_ms: int) -> None:
    """Make the table (customer, segment), as of ``now_ms``, from a ``customers.jsonl``."""
    database.run("CREATE TEMP TABLE segments (customer VARCHAR, segment VARCHAR)")
    pairs = (
        (customer.customer_id, name)
        for customer in read_customers(path)
        for name in segments_of(customer, now_ms)
    )
    for rows in in_batches(pairs):
        customers, segments = zip(*rows, strict=True)
        database.insert(
            "segments",
            {
                "customer": np.array(customers, dtype=object),
                "segment": np.array(segments, dtype=object),
            },
        )
