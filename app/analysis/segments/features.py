"""Customers as numbers: the features of the model, at the end and early on."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.core.customer.features import FEATURES, RFM
from app.core.customer.record import Customer

Matrix = NDArray[np.float64]

NAMES: Final = RFM


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """One row for each customer of whom all features are known (buyers). Columns are NAMES."""

    customer_ids: list[str]
    values: Matrix


class Early(msgspec.Struct, frozen=True, kw_only=True):
    """Customers ``early_days`` after their first purchase, and what they spent in ``horizon_days``
    from then on. Only those of whom so much has been seen.
    """

    early_days: int
    horizon_days: int
    features: Features
    later_spend: Matrix


def known_features(
    customer: Customer, now_ms: int, names: Sequence[str] = NAMES
) -> list[float] | None:
    """A row; None when something is not known of the customer."""
    row = []
    for name in names:
        value = FEATURES[name](customer, now_ms)
        if value is None:
            return None
        row.append(float(value))
    return row


def features_of(customers: Iterable[Customer], now_ms: int) -> Features:
    """As of that instant, the customers in the order of their ids."""
    rows = {}
    for customer in customers:
        row = known_features(customer, now_ms)
        if row is not None:
            rows[customer.customer_id] = row
    return as_features(rows)


def as_features(rows: dict[str, list[float]]) -> Features:
    """From customer -> row."""
    ids = sorted(rows)
    values = np.array([rows[customer_id] for customer_id in ids], dtype=np.float64)
    return Features(customer_ids=ids, values=values.reshape(len(ids), len(NAMES)))
