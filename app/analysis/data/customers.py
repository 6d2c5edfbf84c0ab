"""The table ``segments`` (customer, segment) from the records that a backtest keeps."""

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import numpy as np

from app.analysis.data.batches import in_batches
from app.analysis.data.database import Database
from app.backtest.saved_run import read_customers
from app.core.customer.facts import FACTS
from app.core.customer.record import Customer
from app.core.customer.scoring_model import NO_MODEL, Model
from app.core.rules.conditions import Facts, compile_condition
from app.core.rules.model import Rules

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


def rules_segments(rules: Rules, model: Model | None = None) -> SegmentsOf:
    """Those under ``segments:`` whose condition holds; a customer may be in several."""
    predicted = {} if model is None else model.facts(FACTS)
    facts = Facts(values={**FACTS, **NO_MODEL, **predicted})
    conditions = [
        (name, compile_condition(tree, facts))
        for name, tree in rules.document.get("segments", {}).items()
    ]
    return lambda customer, now_ms: [
        name for name, condition in conditions if condition({}, customer, now_ms)
    ]


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
